import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

/** Uploads a file several times with one of Java's clients, and prints what comes of it, a line each. */
public class Upload {
    public static void main(String[] arguments) {
        String client = arguments[0];
        URI address = URI.create(arguments[1]);
        String token = arguments[2];
        Path file = Path.of(arguments[3]);
        for (int left = Integer.parseInt(arguments[4]); left > 0; left--) {
            try {
                System.out.println(client.equals("HttpClient") ? modern(address, token, file) : classic(address, token, file));
            } catch (Exception error) {
                System.out.println(error);
            }
        }
    }

    private static String modern(URI address, String token, Path file) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(address)
            .header("X-Auth-Token", token)
            .header("Content-Type", "text/csv")
            .PUT(HttpRequest.BodyPublishers.ofFile(file))
            .build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() + " " + answer.body();
    }

    private static String classic(URI address, String token, Path file) throws Exception {
        var connection = (HttpURLConnection) address.toURL().openConnection();
        connection.setRequestMethod("PUT");
        connection.setDoOutput(true);
        connection.setFixedLengthStreamingMode(Files.size(file));
        connection.setRequestProperty("X-Auth-Token", token);
        connection.setRequestProperty("Content-Type", "text/csv");
        try (var body = connection.getOutputStream()) {
            Files.copy(file, body);
        }
        int status = connection.getResponseCode();
        return status + " " + new String(connection.getErrorStream().readAllBytes());
    }
}
