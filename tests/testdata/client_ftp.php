<?php
// PHP's ext-ftp. HOST PORT USER PASSWORD SECURITY MODE. Standard
// input contains one action per line: VERB, REMOTE, LOCAL, TO, separated by tabs.

set_error_handler(function ($level, $text) { throw new ErrorException($text); });

function check($ok) {
    if ($ok === false) {
        throw new Exception('refused');
    }
    return $ok;
}

function missing($ftp, $remote, $local) {
    try {
        ftp_get($ftp, $local, $remote, FTP_BINARY);
    } catch (ErrorException $e) {
        return; // the reply's text, without its code
    }
    throw new Exception('it is there');
}

function act($ftp, $verb, $remote, $local, $to) {
    switch ($verb) {
    case 'list':
        foreach (check(ftp_rawlist($ftp, $remote)) as $line) {
            echo $line, "\n";
        }
        return;
    case 'get':      return check(ftp_get($ftp, $local, $remote, FTP_BINARY));
    case 'put':      return check(ftp_put($ftp, $remote, $local, FTP_BINARY));
    case 'get text': return check(ftp_get($ftp, $local, $remote, FTP_ASCII));
    case 'put text': return check(ftp_put($ftp, $remote, $local, FTP_ASCII));
    case 'reget':    return check(ftp_get($ftp, $local, $remote, FTP_BINARY, FTP_AUTORESUME));
    case 'reput':    return check(ftp_put($ftp, $remote, $local, FTP_BINARY, FTP_AUTORESUME));
    case 'missing':  return missing($ftp, $remote, $local);
    case 'rename':   return check(ftp_rename($ftp, $remote, $to));
    case 'time':     return check(str_starts_with(ftp_raw($ftp, "MFMT $to $remote")[0], '213 ') ?: false);
    case 'delete':   return check(ftp_delete($ftp, $remote));
    case 'mkdir':    return check(ftp_mkdir($ftp, $remote));
    case 'rmdir':    return check(ftp_rmdir($ftp, $remote));
    }
}

[, $host, $port, $user, $password, $security, $mode] = $argv;
$ftp = check($security === 'plain' ? ftp_connect($host, (int)$port, 20) : ftp_ssl_connect($host, (int)$port, 20));
check(ftp_login($ftp, $user, $password));
check(ftp_pasv($ftp, $mode === 'passive'));
while (($line = fgets(STDIN)) !== false) {
    act($ftp, ...explode("\t", rtrim($line, "\n")));
}
ftp_close($ftp);
