<?php
// PHP's stream wrapper: URL (with user and password), and a copy of what is served as up.bin.

set_error_handler(function ($level, $text) { throw new ErrorException($text); });

function check($ok, $what) {
    if (!$ok) {
        throw new Exception($what);
    }
}

[, $url, $path] = $argv;
check(file_get_contents("$url/up.bin") === file_get_contents($path), 'up.bin is another file');
check(filesize("$url/up.bin") === 300001, 'size');
check(scandir("$url/dir") === ['inner.txt'], 'listing');
check(is_dir("$url/dir") && !file_exists("$url/none"), 'stat');

file_put_contents("$url/php.new", 'new');
check(file_get_contents("$url/php.new") === 'new', 'what was stored is another file');
rename("$url/php.new", "$url/php.txt");
try {
    file_put_contents("$url/php.txt", 'again');
    check(false, 'replaced without being told');
} catch (ErrorException $e) {
}
$overwrite = stream_context_create(['ftp' => ['overwrite' => true]]);
file_put_contents("$url/php.txt", 'again', 0, $overwrite);
file_put_contents("$url/php.txt", ', and more', FILE_APPEND);
$resume = stream_context_create(['ftp' => ['resume_pos' => 7]]);
check(file_get_contents("$url/php.txt", false, $resume) === 'and more', 'resumed');

mkdir("$url/php.dir");
rmdir("$url/php.dir");
file_put_contents("$url/php.gone", 'x');
unlink("$url/php.gone");
