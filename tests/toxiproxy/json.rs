//! What is read as JSON: as Go's decoder does, whose users write it.

use crate::server::Server;

#[test]
fn keys_match_whatever_their_case() {
    let server = Server::start();
    let body = r#"{"NAME":"p","Listen":"127.0.0.1:0","uPstream":"x:1","ENABLED":false}"#;
    let answer = server.post("/proxies", body);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["enabled"], false);
    let body = r#"{"Type":"latency","ATTRIBUTES":{"Latency":5},"Stream":"upstream"}"#;
    let answer = server.toxic(body);
    assert_eq!(answer.json()["attributes"]["latency"], 5);
    assert_eq!(answer.json()["stream"], "upstream");
}

#[test]
fn unknown_keys_are_not_looked_at() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"127.0.0.1:0","upstream":"x:1","colour":{"a":[1]}}"#;
    assert_eq!(server.post("/proxies", body).status, 201);
    let toxic = r#"{"type":"latency","colour":1,"attributes":{"latency":5,"colour":"red"}}"#;
    let body = server.toxic(toxic).body;
    assert!(body.starts_with(r#"{"attributes":{"latency":5,"jitter":0},"name""#), "{body}");
}

#[test]
fn what_follows_the_first_value_is_not_looked_at() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"127.0.0.1:0","upstream":"x:1"}} nonsense {"name":"q"}"#;
    let answer = server.post("/proxies", body);
    assert_eq!((answer.status, &answer.json()["name"]), (201, &"p".into()));
}

#[test]
fn of_a_key_that_is_there_twice_the_last_counts() {
    let server = Server::start();
    let body = r#"{"name":"a","listen":"127.0.0.1:0","upstream":"x:1","name":"b","Name":"c"}"#;
    assert_eq!(server.post("/proxies", body).json()["name"], "c");
}

#[test]
fn null_leaves_a_field_at_its_default() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"127.0.0.1:0","upstream":"x:1","enabled":null}"#;
    assert_eq!(server.post("/proxies", body).json()["enabled"], true);
    let toxic = r#"{"type":"latency","name":null,"stream":null,"toxicity":null,"attributes":null}"#;
    let expected = "{\"attributes\":{\"latency\":0,\"jitter\":0},\"name\":\"latency_downstream\",\
                    \"type\":\"latency\",\"stream\":\"downstream\",\"toxicity\":1}";
    assert_eq!(server.toxic(toxic).body, expected);
}

#[test]
fn whitespace_around_a_value_is_not_looked_at() {
    let server = Server::start();
    let body = "\r\n\t {\"name\" : \"p\" , \"listen\":\"127.0.0.1:0\",\n\"upstream\":\"x:1\"} \n";
    assert_eq!(server.post("/proxies", body).status, 201);
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    let answer = server.toxic(r#"{"type":"latency","attributes":{"latency":100.0}}"#);
    assert!(answer.body.contains(r#""latency":100,"#), "{}", answer.body);
}

#[test]
fn what_is_no_whole_number_is_refused() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    for wrong in ["100.5", r#""100""#, "9223372036854775808", "true", "[]", "{}"] {
        let toxic = format!(r#"{{"type":"latency","attributes":{{"latency":{wrong}}}}}"#);
        let answer = server.post("/proxies/p/toxics", &toxic);
        answer.is_error_like(400, "bad request body: ");
    }
    assert_eq!(server.get("/proxies/p/toxics").body, "[]");
}

#[test]
fn escapes_are_read_and_written() {
    let server = Server::start();
    let body = r#"{"name":"\u0061\t\ud83d\ude00","listen":"127.0.0.1:0","upstream":"x:1"}"#;
    assert_eq!(server.post("/proxies", body).json()["name"], "a\t😀");
}
