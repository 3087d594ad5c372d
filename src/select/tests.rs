//! What matchers mean, from their text.

use super::*;
use crate::{
    diag::{Problems, Source},
    read::Reader,
    yaml::{self, Node, Spanned},
};

/// A request to ask about.
struct Request {
    method: Method,
    path: &'static str,
    query: Option<&'static str>,
    headers: HeaderMap,
    version: Version,
    body: Option<&'static [u8]>,
}

fn request(method: &str, path: &'static str) -> Request {
    Request {
        method: method.parse().expect("a method"),
        path,
        query: None,
        headers: HeaderMap::new(),
        version: Version::HTTP_11,
        body: None,
    }
}

impl Request {
    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, http::HeaderValue::from_static(value));
        self
    }

    fn query(mut self, query: &'static str) -> Self {
        self.query = Some(query);
        self
    }

    fn body(mut self, body: &'static [u8]) -> Self {
        self.body = Some(body);
        self
    }

    fn h2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            path: self.path,
            query: self.query,
            version: self.version,
            headers: &self.headers,
            peer: IpAddr::from([10, 1, 2, 3]),
            body: self.body,
        }
    }
}

fn tree(text: &str) -> Spanned<Node> {
    yaml::parse(&Source::new("test", text), &mut Problems::default()).expect("YAML")
}

#[track_caller]
fn matcher(text: &str) -> Matcher {
    let mut problems = Problems::default();
    let matcher = Matcher::read(&tree(text), &mut Reader::new(&mut problems, None));
    assert!(problems.is_empty(), "{problems:?}");
    matcher.expect("a matcher")
}

#[track_caller]
fn matches(text: &str, request: &Request) -> bool {
    matcher(text).matches(&request.view())
}

#[test]
fn all_parts_must_agree_and_one_item_of_a_list_is_enough() {
    let text = "{ method: [POST, put], path: [/purchase/**, /buy] }";
    assert!(matches(text, &request("POST", "/purchase/7")));
    assert!(matches(text, &request("PUT", "/buy")));
    assert!(!matches(text, &request("GET", "/buy")));
    assert!(!matches(text, &request("POST", "/items")));
}

#[test]
fn a_host_means_all_its_ports_unless_it_names_one() {
    let at = |host| request("GET", "/").header("host", host);
    assert!(matches("host: API.example.com", &at("api.example.com:8080")));
    assert!(matches("host: '*.example.com:8080'", &at("api.Example.com:8080")));
    assert!(!matches("host: api.example.com:8080", &at("api.example.com")));
    assert!(!matches("host: api.example.com", &at("api.example.com.evil.org")));
    assert!(matches("host: '[::1]'", &at("[::1]:80")));
    assert!(!matches("host: api.example.com", &request("GET", "/")));
}

#[test]
fn headers_match_by_presence_or_value() {
    let asked = request("GET", "/").header("x-plan", "gold").header("x-plan", "trial-7");
    assert!(matches("header: x-plan", &asked));
    assert!(!matches("header: x-beta", &asked));
    assert!(matches("header: { X-Plan: 'trial-*' }", &asked));
    assert!(matches("header: { x-plan: [silver, gold] }", &asked));
    assert!(!matches("header: { x-plan: gold, x-beta: '*' }", &asked));
    assert!(matches("header: [x-beta, { x-plan: gold }]", &asked));
}

#[test]
fn query_parameters_match_raw() {
    let asked = request("GET", "/search").query("q=a%20b&debug");
    assert!(matches("query: { q: 'a%20*' }", &asked));
    assert!(!matches("query: { q: 'a b' }", &asked));
    assert!(matches("query: debug", &asked));
    assert!(!matches("query: bug", &asked));
}

#[test]
fn clients_match_by_network() {
    assert!(matches("client: [192.168.0.0/16, 10.0.0.0/8]", &request("GET", "/")));
    assert!(!matches("client: 192.168.0.0/16", &request("GET", "/")));
}

#[test]
fn bodies_match_by_pointer_and_only_once_they_are_known() {
    let text = "body: { /cart/0/sku: A7, /cart/0/count: [1, 2] }";
    let with = |body| request("POST", "/").body(body);
    assert!(matcher(text).needs_body());
    assert!(matcher("not: { body: { /a: 1 } }").needs_body());
    assert!(!matcher("path: /a").needs_body());

    assert!(matches(text, &with(br#"{"cart":[{"sku":"A7","count":2.0}]}"#)));
    assert!(!matches(text, &with(br#"{"cart":[{"sku":"A7","count":3}]}"#)));
    assert!(!matches(text, &with(br#"{"cart":[{"sku":"A7"}"#)));
    assert!(!matches(text, &request("POST", "/")));
}

#[test]
fn calls_and_protocols_are_told_apart() {
    let call =
        request("POST", "/shop.Cart/Add").h2().header("content-type", "application/grpc+proto");
    assert!(matches("grpc: shop.Cart/Add", &call));
    assert!(matches("grpc: shop.Cart", &call));
    assert!(matches("grpc: shop.Cart/*", &call) && matches("grpc: '*/Add'", &call));
    assert!(!matches("grpc: shop.Cart/Remove", &call) && !matches("grpc: shop.Car", &call));
    let get = request("GET", "/shop.Cart/Add").header("content-type", "application/grpc");
    assert!(!matches("grpc: shop.Cart/Add", &get));
    assert!(matches("protocol: grpc", &call));
    assert!(!matches("grpc: shop.Cart/Add", &request("POST", "/shop.Cart/Add")));
    let web = request("POST", "/shop.Cart/Add").header("content-type", "application/grpc-web");
    assert!(!matches("protocol: grpc", &web));

    assert!(matches("protocol: h2", &call) && !matches("protocol: http1", &call));
    assert!(matches("protocol: http1", &request("GET", "/")));
    let socket = request("GET", "/").header("upgrade", "WebSocket");
    assert!(matches("protocol: [websocket, grpc]", &socket));
    assert!(!matches("protocol: tcp", &socket));
}

#[test]
fn a_name_that_no_call_has_is_refused() {
    for text in
        ["shop.Cart/Add/More", "shop..Cart/Add", "/", "shop.Cart/", "1.Cart/Add", "shop.Cart/Ad d"]
    {
        let mut problems = Problems::default();
        let tree = tree(&format!("grpc: '{text}'"));
        let matcher = Matcher::read(&tree, &mut Reader::new(&mut problems, None));
        assert!(matcher.is_none() && problems.has_errors(), "{text}");
    }
}

#[test]
fn not_takes_away() {
    let text = "{ path: /items/**, not: [{ method: GET }, { header: x-probe }] }";
    assert!(matches(text, &request("POST", "/items/7")));
    assert!(!matches(text, &request("GET", "/items/7")));
    assert!(!matches(text, &request("POST", "/items/7").header("x-probe", "1")));
}

#[test]
fn a_route_is_a_method_and_a_path() {
    let route = Matcher::route("POST /api/checkout/**").expect("a route");
    assert!(route.matches(&request("POST", "/api/checkout/7").view()));
    assert!(!route.matches(&request("GET", "/api/checkout/7").view()));
    let any = Matcher::route("/api/**").expect("a route");
    assert!(any.matches(&request("DELETE", "/api").view()));
    let both = Matcher::route("GET,post /api").expect("a route");
    assert!(both.matches(&request("POST", "/api").view()));
    for wrong in ["", "POST", "POST api", "PO?T /api", "POST /api?x=1"] {
        assert!(Matcher::route(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_matcher_shows_what_it_matches() {
    assert_eq!(matcher("{ path: /purchase/**, method: post }").show(), "POST /purchase/**");
    let text = "{ host: a.b, header: { x: [1, 2] }, not: { client: 10.0.0.0/8 } }";
    assert_eq!(matcher(text).show(), "host a.b header x=1|2 not (client 10.0.0.0/8)");
}

fn users(text: &str) -> Users {
    let mut problems = Problems::default();
    let users = Users::read(&tree(text), &mut Reader::new(&mut problems, None));
    users.unwrap_or_else(|| panic!("{problems:?}"))
}

#[test]
fn a_user_is_the_first_source_that_a_request_has() {
    let users = users("[{ header: x-user-id }, { cookie: sid }, { query: user }]");
    let identify = |request: &Request| users.identify(&request.view());
    let named = request("GET", "/").header("x-user-id", "alice").header("cookie", "sid=1");
    let cookie = request("GET", "/").header("cookie", "a=b; sid=1; c=d");
    let asked = request("GET", "/").query("x=1&user=bob");
    let nobody = request("GET", "/").header("x-user-id", "");

    assert_eq!(identify(&named).source, 0);
    assert_eq!(identify(&cookie).source, 1);
    assert_eq!(identify(&asked).source, 2);
    assert_eq!(identify(&nobody).source, 3);
    assert_ne!(identify(&named).key, identify(&cookie).key);
}

#[test]
fn a_user_keeps_their_fate_when_a_header_is_renamed_and_not_when_it_becomes_a_cookie() {
    let key = |text: &str, request: &Request| users(text).identify(&request.view()).key;
    let old = key("header: x-user", &request("GET", "/").header("x-user", "alice"));
    let new = key("header: x-user-id", &request("GET", "/").header("x-user-id", "alice"));
    let cookie = key("cookie: user", &request("GET", "/").header("cookie", "user=alice"));
    assert_eq!(old, new);
    assert_ne!(old, cookie);
}

#[test]
fn a_peer_is_the_same_user_over_both_families() {
    let asked = request("GET", "/");
    let mut view = asked.view();
    let over_v4 = users("peer").identify(&view);
    view.peer = "::ffff:10.1.2.3".parse().expect("an address");
    assert_eq!(users("peer").identify(&view), over_v4);
}
