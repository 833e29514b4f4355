import java.io.*;
import java.nio.charset.StandardCharsets;
import org.apache.commons.net.ftp.*;

/**
 * Java's commons-net. HOST PORT USER PASSWORD SECURITY MODE. Standard input contains one action per
 * line: VERB, REMOTE, LOCAL, TO, separated by tabs.
 */
public class CommonsNet {
    final FTPClient ftp;

    CommonsNet(FTPClient ftp) {
        this.ftp = ftp;
    }

    void check(boolean ok) throws IOException {
        if (!ok) throw new IOException("refused: " + ftp.getReplyString());
    }

    void begin(String host, int port, String user, String password, boolean passive) throws IOException {
        ftp.setDefaultTimeout(100_000);
        ftp.setConnectTimeout(100_000);
        ftp.setControlEncoding("UTF-8");
        ftp.connect(host, port);
        ftp.setSoTimeout(100_000);
        check(FTPReply.isPositiveCompletion(ftp.getReplyCode()));
        check(ftp.login(user, password));
        if (ftp instanceof FTPSClient) {
            ((FTPSClient) ftp).execPBSZ(0);
            ((FTPSClient) ftp).execPROT("P");
        }
        if (passive) ftp.enterLocalPassiveMode();
        check(ftp.setFileType(FTP.BINARY_FILE_TYPE));
    }

    void get(String remote, File local, boolean append) throws IOException {
        try (OutputStream out = new FileOutputStream(local, append)) {
            if (append) ftp.setRestartOffset(local.length());
            check(ftp.retrieveFile(remote, out));
        }
    }

    void put(String remote, File local, long from) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(local, "r"); InputStream in = new FileInputStream(file.getFD())) {
            file.seek(from);
            if (from > 0) ftp.setRestartOffset(from);
            check(ftp.storeFile(remote, in));
        }
    }

    void list(String remote) throws IOException {
        for (FTPFile file : ftp.listFiles(remote.isEmpty() ? null : remote)) System.out.println(file.getName());
        check(FTPReply.isPositiveCompletion(ftp.getReplyCode()));
    }

    /** Reads the first bytes and ends the download. */
    void head(String remote, File local) throws IOException {
        InputStream in = ftp.retrieveFileStream(remote);
        check(in != null);
        byte[] data = new byte[2000];
        new DataInputStream(in).readFully(data);
        try (OutputStream out = new FileOutputStream(local)) {
            out.write(data);
        }
        ftp.abort(); // 426; the reply to ABOR itself follows
        in.close();
        check(ftp.completePendingCommand());
    }

    void missing(String remote) throws IOException {
        check(!ftp.retrieveFile(remote, OutputStream.nullOutputStream()) && ftp.getReplyCode() == 550);
    }

    void text(Call call) throws IOException {
        check(ftp.setFileType(FTP.ASCII_FILE_TYPE));
        call.run();
        check(ftp.setFileType(FTP.BINARY_FILE_TYPE));
    }

    interface Call {
        void run() throws IOException;
    }

    void act(String verb, String remote, File local, String to) throws IOException {
        switch (verb) {
            case "list" -> list(remote);
            case "get" -> get(remote, local, false);
            case "put" -> put(remote, local, 0);
            case "get text" -> text(() -> get(remote, local, false));
            case "put text" -> text(() -> put(remote, local, 0));
            case "reget" -> get(remote, local, true);
            case "reput" -> put(remote, local, Long.parseLong(ftp.getSize(remote)));
            case "head" -> head(remote, local);
            case "missing" -> missing(remote);
            case "rename" -> check(ftp.rename(remote, to));
            case "time" -> check(ftp.setModificationTime(remote, to));
            case "delete" -> check(ftp.deleteFile(remote));
            case "mkdir" -> check(ftp.makeDirectory(remote));
            case "rmdir" -> check(ftp.removeDirectory(remote));
            default -> throw new IOException(verb);
        }
    }

    public static void main(String[] args) throws IOException {
        String security = args[4];
        FTPClient ftp = security.equals("plain") ? new FTPClient() : new FTPSClient(security.equals("implicit"));
        CommonsNet client = new CommonsNet(ftp);
        client.begin(args[0], Integer.parseInt(args[1]), args[2], args[3], args[5].equals("passive"));
        String lines = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        for (String line : lines.split("\n")) {
            String[] words = line.split("\t", -1);
            client.act(words[0], words[1], new File(words[2]), words[3]);
        }
        ftp.logout();
        ftp.disconnect();
    }
}
