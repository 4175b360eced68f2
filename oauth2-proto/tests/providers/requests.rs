//! The requests of those providers that want them otherwise.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Uri};
use oauth2_proto::providers::{self, Provider};
use oauth2_proto::{Body, Callback, Client};
use serde_json::Value;

use super::support::{
    CODE, NOW, REDIRECT_URI, TOKENS, answer, authorized, begin, form, parameter, pending, receive,
    redeem,
};

fn client(provider: Provider) -> Client {
    provider.client("id").with_secret("s3cret")
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap()
}

fn value(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
}

fn refresh(client: &Client, body: &str) -> Request<Body> {
    authorized(client, body).refresh(client, NOW).expect("it can be refreshed").0
}

#[test]
fn tiktok_calls_the_client_id_client_key() {
    let client = client(providers::tiktok());
    let url = begin(&client).0;
    assert_eq!(parameter(&url, "client_key"), "id");
    assert_eq!(parameter(&url, "scope"), "read,write");
    let pairs = form(&redeem(&client).0);
    assert_eq!(value(&pairs, "client_key").as_deref(), Some("id"));
    assert_eq!(value(&pairs, "client_secret").as_deref(), Some("s3cret"));
    assert_eq!(value(&pairs, "client_id"), None);
}

#[test]
fn tiktok_for_business_speaks_json() {
    let client = client(providers::tiktok_business());
    assert_eq!(parameter(&begin(&client).0, "app_id"), "id");
    let (pending, query) = pending(&client);
    let query = query.replace("code=", "auth_code=");
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    let request = code.redeem(&client, NOW).unwrap().0;
    let members: Value = serde_json::from_slice(request.body().as_ref()).unwrap();
    assert_eq!(members["auth_code"], CODE);
    assert_eq!((&members["app_id"], &members["secret"]), (&"id".into(), &"s3cret".into()));
}

#[test]
fn wechat_wants_everything_in_the_url() {
    let client = client(providers::wechat());
    let url = begin(&client).0;
    assert_eq!(url.fragment(), Some("wechat_redirect"));
    assert_eq!(parameter(&url, "appid"), "id");
    let request = redeem(&client).0;
    assert_eq!(request.method(), Method::GET);
    let pairs = query(request.uri());
    assert_eq!(value(&pairs, "secret").as_deref(), Some("s3cret"));
    assert_eq!(value(&pairs, "code").as_deref(), Some(CODE));
    let request = refresh(&client, TOKENS);
    assert_eq!(request.uri().path(), "/sns/oauth2/refresh_token");
    assert_eq!(value(&query(request.uri()), "secret"), None);
}

#[test]
fn instagram_exchanges_and_refreshes_its_token() {
    let client = client(providers::instagram());
    let failed = receive(&client, &answer(200, r#"{"access_token":"short"}"#)).unwrap_err();
    let second = failed.next.expect("the exchange");
    assert_eq!(
        second.uri(),
        "https://graph.instagram.com/access_token?grant_type=ig_exchange_token&\
         client_secret=s3cret&access_token=short"
    );
    let tokens =
        super::hear(providers::instagram(), 200, r#"{"access_token":"long"}"#).ours.unwrap();
    let request = tokens.refresh(&client, NOW).unwrap().0;
    assert_eq!(request.method(), Method::GET);
    assert_eq!(
        request.uri(),
        "https://graph.instagram.com/refresh_access_token?grant_type=ig_refresh_token&\
         access_token=long"
    );
}

#[test]
fn facebook_exchanges_its_token() {
    let client = client(providers::facebook());
    let pairs = form(&refresh(&client, r#"{"access_token":"EAA"}"#));
    assert_eq!(value(&pairs, "grant_type").as_deref(), Some("fb_exchange_token"));
    assert_eq!(value(&pairs, "fb_exchange_token").as_deref(), Some("EAA"));
}

#[test]
fn notion_speaks_json_with_its_version() {
    let client = client(providers::notion());
    assert_eq!(parameter(&begin(&client).0, "owner"), "user");
    let request = redeem(&client).0;
    assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(request.headers()["notion-version"], "2022-06-28");
    assert!(request.headers()[AUTHORIZATION].to_str().unwrap().starts_with("Basic "));
}

#[test]
fn stripe_takes_the_secret_for_a_token_or_a_name() {
    let request = redeem(&client(providers::stripe())).0;
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer s3cret");
    let request = redeem(&client(providers::stripe_apps())).0;
    assert_eq!(request.headers()[AUTHORIZATION], "Basic czNjcmV0Og==");
}

#[test]
fn x_wants_the_client_id_twice() {
    let request = redeem(&client(providers::x())).0;
    assert!(request.headers()[AUTHORIZATION].to_str().unwrap().starts_with("Basic "));
    assert_eq!(value(&form(&request), "client_id").as_deref(), Some("id"));
}

#[test]
fn linkedin_gets_no_pkce() {
    let client = client(providers::linkedin());
    assert!(begin(&client).0.query_pairs().all(|(name, _)| !name.starts_with("code_challenge")));
    assert_eq!(value(&form(&redeem(&client).0), "code_verifier"), None);
}

#[test]
fn ebay_gets_the_name_of_its_redirect_uri() {
    let client = client(providers::ebay("RuName"));
    assert_eq!(parameter(&begin(&client).0, "redirect_uri"), "RuName");
    assert_eq!(value(&form(&redeem(&client).0), "redirect_uri").as_deref(), Some("RuName"));
}

#[test]
fn untappd_has_its_own_words() {
    let client = client(providers::untappd());
    assert_eq!(parameter(&begin(&client).0, "redirect_url"), REDIRECT_URI);
    let pairs = query(redeem(&client).0.uri());
    assert_eq!(value(&pairs, "redirect_url").as_deref(), Some(REDIRECT_URI));
    assert_eq!(value(&pairs, "grant_type"), None);
}

#[test]
fn figma_refreshes_elsewhere() {
    let client = client(providers::figma());
    let request = redeem(&client).0;
    assert_eq!(value(&query(request.uri()), "redirect_uri").as_deref(), Some(REDIRECT_URI));
    assert_eq!(refresh(&client, TOKENS).uri().path(), "/v1/oauth/refresh");
}

#[test]
fn withings_and_basecamp_name_what_they_do() {
    let pairs = form(&redeem(&client(providers::withings())).0);
    assert_eq!(value(&pairs, "action").as_deref(), Some("requesttoken"));
    let basecamp = client(providers::basecamp());
    assert_eq!(parameter(&begin(&basecamp).0, "type"), "web_server");
    let pairs = form(&refresh(&basecamp, TOKENS));
    assert_eq!(value(&pairs, "type").as_deref(), Some("refresh"));
}

#[test]
fn monday_gets_no_response_type() {
    let url = begin(&client(providers::monday())).0;
    assert!(url.query_pairs().all(|(name, _)| name != "response_type"));
}

#[test]
fn what_comes_in_the_callback_is_kept() {
    for (provider, name) in [
        (providers::intuit(), "realmId"),
        (providers::zoho("eu").unwrap(), "accounts-server"),
        (providers::apple(), "user"),
    ] {
        let client = client(provider);
        let (pending, query) = pending(&client);
        let query = format!("{query}&{name}=x");
        let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
        assert_eq!(code.kept(name), Some("x"));
    }
}

#[test]
fn apple_posts_its_callback() {
    let client = client(providers::apple());
    let (pending, query) = pending(&client);
    assert_eq!(parameter(&begin(&client).0, "response_mode"), "form_post");
    pending.accept(&client, Callback::form_post(query.as_bytes()), NOW).unwrap();
}

#[test]
fn amazons_application_has_an_id_of_its_own() {
    let client = client(providers::amazon_selling_partner("amzn1.sp"));
    let url = begin(&client).0;
    assert_eq!(parameter(&url, "application_id"), "amzn1.sp");
    assert!(url.query_pairs().all(|(name, _)| name != "client_id"));
    let (pending, query) = pending(&client);
    let query = query.replace("code=", "spapi_oauth_code=");
    assert!(pending.accept(&client, Callback::query(&query), NOW).is_ok());
}

#[test]
fn tokens_are_presented_where_they_are_looked_for() {
    let attached = |provider: Provider| {
        let client = client(provider);
        let mut request = Request::get("https://api.example/").body(()).unwrap();
        let body = r#"{"access_token":"t","token_type":"bearer"}"#;
        let tokens = authorized(&client, body);
        tokens.attach(&client, &mut request, NOW).unwrap();
        request
    };
    assert_eq!(attached(providers::yandex()).headers()[AUTHORIZATION], "OAuth t");
    let zoho = providers::zoho("com").unwrap();
    assert_eq!(attached(zoho).headers()[AUTHORIZATION], "Zoho-oauthtoken t");
    let shop = providers::shopify("example").unwrap();
    assert_eq!(attached(shop).headers()["x-shopify-access-token"], "t");
    assert_eq!(attached(providers::weibo()).uri(), "https://api.example/?access_token=t");
}

#[test]
fn entra_has_one_issuer_for_each_tenant() {
    let id = "9188040d-6c67-4c5b-b112-36a304b66dad";
    for (tenant, iss, fits) in [
        ("common", id, true),
        ("contoso.onmicrosoft.com", id, true),
        (id, id, true),
        (id, "00000000-0000-0000-0000-000000000000", false),
        ("common", "a/b", false),
    ] {
        let client = client(providers::microsoft_entra(tenant).unwrap());
        let (pending, query) = pending(&client);
        let query = format!("{query}&iss=https://login.microsoftonline.com/{iss}/v2.0");
        assert_eq!(pending.accept(&client, Callback::query(&query), NOW).is_ok(), fits, "{tenant}");
    }
}
