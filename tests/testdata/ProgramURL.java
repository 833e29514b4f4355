import java.io.FileNotFoundException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

// Java's own handler of ftp: URLs. URL (with user and password), and a copy of what is served as up.bin.
class ProgramURL {
    static void check(boolean ok, String what) throws Exception {
        if (!ok) {
            throw new Exception(what);
        }
    }

    static byte[] read(String url) throws Exception {
        return new URL(url).openStream().readAllBytes();
    }

    public static void main(String[] args) throws Exception {
        URLConnection up = new URL(args[0] + "/up.bin;type=i").openConnection();
        check(up.getContentLengthLong() == 300001, "length " + up.getContentLengthLong());
        check(Arrays.equals(up.getInputStream().readAllBytes(), Files.readAllBytes(Path.of(args[1]))), "another file");
        check(new String(read(args[0] + "/dir/")).contains("inner.txt"), "listing");
        try {
            read(args[0] + "/none");
            check(false, "it is there");
        } catch (FileNotFoundException e) {
            // as expected
        }
        URLConnection java = new URL(args[0] + "/java.txt;type=i").openConnection();
        java.setDoOutput(true);
        try (OutputStream out = java.getOutputStream()) {
            out.write("by java".getBytes());
        }
    }
}
