// basic-ftp. HOST PORT USER PASSWORD SECURITY MODE. Standard
// input contains one action per line: VERB, REMOTE, LOCAL, TO, separated by tabs.
const ftp = require("basic-ftp")
const fs = require("fs")

async function missing(client, remote, local) {
    try {
        await client.downloadTo(local, remote)
    } catch (e) {
        if (e.code === 550) return
        throw e
    }
    throw new Error("it is there")
}

const verbs = {
    "list": async (client, remote) => (await client.list(remote)).forEach(file => console.log(file.name)),
    "get": (client, remote, local) => client.downloadTo(local, remote),
    "put": (client, remote, local) => client.uploadFrom(local, remote),
    "reget": (client, remote, local) => client.downloadTo(local, remote, fs.statSync(local).size),
    "reput": async (client, remote, local) => client.appendFrom(local, remote, { localStart: await client.size(remote) }),
    "missing": missing,
    "rename": (client, remote, local, to) => client.rename(remote, to),
    "time": (client, remote, local, to) => client.send(`MFMT ${to} ${remote}`),
    "delete": (client, remote) => client.remove(remote),
    "mkdir": async (client, remote) => {
        await client.ensureDir(remote)
        await client.cd("/")
    },
    "rmdir": (client, remote) => client.removeEmptyDir(remote),
    "pull": (client, remote, local) => client.downloadToDir(local, remote),
    "push": (client, remote, local) => client.uploadFromDir(local, remote),
}

async function main() {
    const [host, port, user, password, security] = process.argv.slice(2)
    const client = new ftp.Client(20000)
    try {
        const secure = { plain: false, explicit: true, implicit: "implicit" }[security]
        await client.access({ host, port: Number(port), user, password, secure, secureOptions: { rejectUnauthorized: false } })
        for (const line of fs.readFileSync(0, "utf8").split("\n").filter(line => line !== "")) {
            const [verb, ...names] = line.split("\t")
            await verbs[verb](client, ...names)
        }
    } finally {
        client.close()
    }
}

main().catch(e => {
    console.error(e)
    process.exitCode = 1
})
