//! The bodies. `synthetic`: built from what is known of the provider, not recorded.

use oauth2_proto::providers;
use serde_json::json;

use super::{hear, hear_refresh};

// Amazon to Dropbox

#[test]
fn adfs_synthetic() {
    let body = r#"{"access_token":"eyJ0","token_type":"bearer","expires_in":"3600",
        "resource":"urn:api","refresh_token":"r"}"#;
    hear(providers::adfs("sts.example.com").unwrap(), 200, body)
        .token("eyJ0")
        .lives(3600)
        .renewable()
        .extra("resource", "urn:api")
        .strictly_granted();
}

#[test]
fn amazon_selling_partner_synthetic() {
    let body = r#"{"access_token":"Atza|IQ","refresh_token":"Atzr|IQ","token_type":"bearer","expires_in":3600}"#;
    hear(providers::amazon_selling_partner("amzn1.sp.solution.example"), 200, body)
        .token("Atza|IQ")
        .lives(3600)
        .renewable()
        .strictly_granted();
}

#[test]
fn apple_synthetic() {
    let body = r#"{"access_token":"a0.b","token_type":"Bearer","expires_in":3600,
        "refresh_token":"r0.b","id_token":"eyJ0.e30."}"#;
    let heard = hear(providers::apple(), 200, body).token("a0.b").lives(3600).renewable();
    assert_eq!(heard.tokens().id_token().unwrap().expose(), "eyJ0.e30.");
    heard.strictly_granted();
}

#[test]
fn atlassian_synthetic() {
    let body =
        r#"{"access_token":"a","expires_in":3600,"token_type":"Bearer","scope":"read:jira-work"}"#;
    hear(providers::atlassian(), 200, body).token("a").scope("read:jira-work").strictly_granted();
}

#[test]
fn auth0_synthetic() {
    let body = r#"{"access_token":"a","id_token":"i","scope":"openid","expires_in":86400,"token_type":"Bearer"}"#;
    hear(providers::auth0("example.auth0.com").unwrap(), 200, body)
        .token("a")
        .lives(86400)
        .strictly_granted();
}

#[test]
fn basecamp_synthetic() {
    let body = r#"{"access_token":"a","expires_in":1209600,"refresh_token":"r"}"#;
    hear(providers::basecamp(), 200, body)
        .token("a")
        .lives(1_209_600)
        .renewable()
        .strictly_refused("default_token_type");
}

#[test]
fn bitbucket_synthetic() {
    let body = r#"{"access_token":"a","scopes":"account pullrequest","expires_in":7200,
        "refresh_token":"r","token_type":"bearer"}"#;
    hear(providers::bitbucket(), 200, body)
        .token("a")
        .scope("account pullrequest")
        .renewable()
        .strictly_granted();
}

#[test]
fn box_synthetic() {
    let body = r#"{"access_token":"T9cE","expires_in":3600,"restricted_to":[],"token_type":"bearer",
        "refresh_token":"J7rx"}"#;
    hear(providers::r#box(), 200, body)
        .token("T9cE")
        .renewable()
        .extra("restricted_to", json!([]))
        .strictly_granted();
}

#[test]
fn clover_synthetic() {
    let body = r#"{"access_token":"a","access_token_expiration":1700001800,
        "refresh_token":"r","refresh_token_expiration":1731536000}"#;
    hear(providers::clover(), 200, body)
        .token("a")
        .lives(1800)
        .renewable()
        .extra("refresh_token_expiration", 1_731_536_000)
        .strictly_refused("default_token_type");
}

#[test]
fn cognito_synthetic_refresh_without_refresh_token() {
    let body = r#"{"id_token":"i","access_token":"b","expires_in":3600,"token_type":"Bearer"}"#;
    let cognito = providers::cognito("example.auth.eu-west-1.amazoncognito.com").unwrap();
    hear_refresh(cognito, 200, body).token("b").renewable().strictly_granted();
}

#[test]
fn coros_recorded_error() {
    hear(providers::coros(), 200, r#"{"result":"5002","message":"Unauthorized client ID"}"#)
        .refused("5002", "Unauthorized client ID")
        .strictly_refused("error_detectors");
}

#[test]
fn coros_recorded_refresh() {
    hear_refresh(providers::coros(), 200, r#"{"result":"0000","message":"OK"}"#)
        .token("held")
        .lives(2_592_000)
        .renewable()
        .strictly_refused("keep_alive");
}

#[test]
fn coros_synthetic() {
    let body =
        r#"{"access_token":"rg2-a","refresh_token":"rg2-r","expires_in":2592000,"openId":"o"}"#;
    hear(providers::coros(), 200, body)
        .token("rg2-a")
        .extra("openId", "o")
        .strictly_refused("default_token_type");
}

#[test]
fn deezer_recorded() {
    hear(providers::deezer(), 200, "access_token=foobar&expires=0")
        .token("foobar")
        .lives(None)
        .strictly_refused("answer_format");
}

#[test]
fn deezer_synthetic_that_expires() {
    hear(providers::deezer(), 200, "access_token=foobar&expires=3600").token("foobar").lives(3600);
}

#[test]
fn dingtalk_synthetic() {
    let body = r#"{"accessToken":"a","refreshToken":"r","expireIn":"7200","corpId":"c"}"#;
    hear(providers::dingtalk(), 200, body)
        .token("a")
        .lives(7200)
        .renewable()
        .extra("corp_id", "c")
        .strictly_refused("camel_case_members");
}

#[test]
fn dingtalk_synthetic_error() {
    hear(providers::dingtalk(), 400, r#"{"code":"invalidCode","message":"no such code"}"#)
        .refused("invalidCode", "no such code")
        .strictly_refused("error_detectors");
}

#[test]
fn discord_synthetic() {
    let body = r#"{"access_token":"6qrZ","token_type":"Bearer","expires_in":604800,
        "refresh_token":"D43f","scope":"identify guilds"}"#;
    hear(providers::discord(), 200, body).token("6qrZ").scope("identify guilds").strictly_granted();
}

#[test]
fn douban_recorded() {
    hear(providers::douban(), 200, r#"{"access_token":"douban"}"#)
        .token("douban")
        .strictly_refused("default_token_type");
}

#[test]
fn douban_synthetic_error() {
    hear(providers::douban(), 400, r#"{"code":111,"msg":"invalid_credential","request":"POST /"}"#)
        .refused("111", "invalid_credential")
        .strictly_refused("error_detectors");
}

#[test]
fn dropbox_synthetic() {
    let body = r#"{"access_token":"sl.a","expires_in":13220,"token_type":"bearer","scope":"a b",
        "refresh_token":"r","account_id":"dbid:A","uid":"12345"}"#;
    hear(providers::dropbox(), 200, body)
        .token("sl.a")
        .renewable()
        .extra("account_id", "dbid:A")
        .strictly_granted();
}

// eBay to HubSpot

#[test]
fn ebay_recorded() {
    let body =
        r#"{"access_token":"v^1.1#i^1","expires_in":7200,"token_type":"Application Access Token"}"#;
    hear(providers::ebay("Example-App-RuName"), 200, body)
        .token("v^1.1#i^1")
        .lives(7200)
        .strictly_unusable("bearer_token_types");
    let body = body.replace("Application", "User");
    hear(providers::ebay("Example-App-RuName"), 200, &body).token("v^1.1#i^1");
}

#[test]
fn facebook_recorded_form() {
    let body = "access_token=166942940015970|2.2ltzWXYNDjCtg5ZDVVJJeg__.3600.1295816400-548517159|\
                RsXNdKrpxg8L6QNLWcs2TVTmcaE&expires_in=5108";
    hear(providers::facebook(), 200, body)
        .token("166942940015970|2.2ltzWXYNDjCtg5ZDVVJJeg__.3600.1295816400-548517159|RsXNdKrpxg8L6QNLWcs2TVTmcaE")
        .lives(5108)
        .renewable()
        .strictly_refused("answer_format");
    hear(providers::facebook(), 200, &body.replace("expires_in", "expires")).lives(5108);
}

#[test]
fn facebook_recorded_form_without_a_token() {
    let heard = hear(providers::facebook(), 200, "&expires=5108");
    let error = heard.ours.expect_err("there is no token").to_string();
    assert!(error.contains("answer_format"), "{error}");
}

#[test]
fn facebook_synthetic_error() {
    let body =
        r#"{"error":{"message":"The code has been used.","type":"OAuthException","code":100}}"#;
    hear(providers::facebook(), 400, body)
        .refused("100", "The code has been used.")
        .strictly_refused("error_detectors");
    hear_refresh(providers::facebook(), 400, &body.replace("100", "190"))
        .refused("invalid_grant", "190: The code has been used.");
}

const FEISHU: &str = r#"{"code":0,"data":{"access_token":"u-6U1SbDiM6XIH2DcTCPyeub",
    "expires_in":7140,"refresh_expires_in":2591940,"refresh_token":"ur-t9HHgRCjMqGqIU9v05Zhos",
    "token_type":"Bearer"}}"#;

#[test]
fn feishu_recorded() {
    hear(providers::feishu(), 200, FEISHU)
        .token("u-6U1SbDiM6XIH2DcTCPyeub")
        .lives(7140)
        .renewable()
        .extra("refresh_expires_in", 2_591_940)
        .strictly_refused("token_locations");
}

#[test]
fn feishu_synthetic_error() {
    hear(providers::feishu(), 200, r#"{"code":20003,"msg":"invalid code"}"#)
        .refused("20003", "invalid code")
        .strictly_refused("error_detectors");
    let body = r#"{"code":20003,"error":"invalid_grant","error_description":"used"}"#;
    hear(providers::feishu(), 400, body).refused("invalid_grant", "used").strictly_denied();
}

#[test]
fn figma_synthetic_refresh() {
    hear_refresh(providers::figma(), 200, r#"{"access_token":"b","expires_in":7776000}"#)
        .token("b")
        .renewable()
        .strictly_refused("default_token_type");
}

#[test]
fn fitbit_recorded_error() {
    let body = r#"{"errors":[{"errorType":"invalid_grant"}]}"#;
    hear(providers::fitbit(), 400, body)
        .refused("invalid_grant", None)
        .strictly_refused("error_detectors");
}

#[test]
fn fitbit_synthetic() {
    let body = r#"{"access_token":"a","expires_in":28800,"refresh_token":"r","scope":"sleep",
        "token_type":"Bearer","user_id":"GGNJL9"}"#;
    hear(providers::fitbit(), 200, body).token("a").extra("user_id", "GGNJL9").strictly_granted();
}

#[test]
fn gitea_synthetic() {
    let body =
        r#"{"access_token":"a","token_type":"bearer","expires_in":3600,"scope":"read:user,repo"}"#;
    hear(providers::gitea("https://git.example.com").unwrap(), 200, body)
        .token("a")
        .scope("read:user repo")
        .strictly_granted();
}

#[test]
fn github_recorded_error() {
    let body = r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired.","error_uri":"https://docs.github.com/x"}"#;
    hear(providers::github(), 200, body)
        .refused("invalid_grant", "bad_verification_code: The code passed is incorrect or expired.")
        .strictly_denied();
}

#[test]
fn github_recorded_error_as_a_form() {
    let body = "error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+\
                expired.&error_uri=https%3A%2F%2Fdocs.github.com%2Fx";
    let description = "bad_verification_code: The code passed is incorrect or expired.";
    let heard = hear(providers::github(), 200, body).refused("invalid_grant", description);
    assert_eq!(heard.denied().uri(), Some("https://docs.github.com/x"));
    heard.strictly_refused("answer_format");
}

#[test]
fn github_synthetic() {
    let body = r#"{"access_token":"gho_1","token_type":"bearer","scope":"repo,gist"}"#;
    hear(providers::github(), 200, body).token("gho_1").scope("repo gist").strictly_granted();
    let form = "access_token=gho_1&scope=repo%2Cgist&token_type=bearer";
    hear(providers::github_enterprise("https://github.example.com").unwrap(), 200, form)
        .token("gho_1")
        .scope("repo gist")
        .strictly_refused("answer_format");
    let refreshed = r#"{"access_token":"ghu_2","expires_in":28800,"refresh_token":"ghr_2",
        "refresh_token_expires_in":15811200,"scope":"","token_type":"bearer"}"#;
    hear_refresh(providers::github(), 200, refreshed).token("ghu_2").lives(28800);
}

#[test]
fn gitlab_synthetic() {
    let body = r#"{"access_token":"a","token_type":"Bearer","expires_in":7200,"refresh_token":"r",
        "scope":"read_user","created_at":1607635748}"#;
    hear(providers::gitlab(), 200, body).token("a").renewable().strictly_granted();
    hear(providers::gitlab_at("https://gitlab.example.com").unwrap(), 200, body).token("a");
}

#[test]
fn google_synthetic() {
    let body = r#"{"access_token":"ya29.a","expires_in":3599,"refresh_token":"1//r",
        "scope":"https://www.googleapis.com/auth/userinfo.email openid","token_type":"Bearer"}"#;
    let heard = hear(providers::google(), 200, body).token("ya29.a").lives(3599).renewable();
    assert!(heard.tokens().additional_scope().contains("openid"), "drift is data, not an error");
    heard.strictly_granted();
}

#[test]
fn hubspot_synthetic() {
    let body =
        r#"{"token_type":"bearer","refresh_token":"r","access_token":"a","expires_in":1800}"#;
    hear(providers::hubspot(), 200, body).token("a").lives(1800).strictly_granted();
}

#[test]
fn hubspot_synthetic_error() {
    let body = r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or unknown refresh token","correlationId":"c"}"#;
    hear_refresh(providers::hubspot(), 400, body)
        .refused("invalid_grant", "BAD_REFRESH_TOKEN: missing or unknown refresh token")
        .strictly_refused("error_detectors");
}

// Instagram to monday.com

#[test]
fn instagram_recorded_error() {
    let body = r#"{"error_type":"OAuthException","code":400,"error_message":"Missing required field client_id"}"#;
    hear(providers::instagram(), 400, body)
        .refused("OAuthException", "Missing required field client_id")
        .strictly_refused("error_detectors");
}

#[test]
fn instagram_synthetic() {
    let body = r#"{"access_token":"IGQVJ","expires_in":5184000,"user_id":17841}"#;
    hear(providers::instagram(), 200, body)
        .token("IGQVJ")
        .lives(5_184_000)
        .renewable()
        .extra("user_id", 17841)
        .strictly_refused("default_token_type");
    let body = r#"{"data":[{"access_token":"IGQVJ","user_id":"1","permissions":"a,b"}]}"#;
    hear(providers::instagram(), 200, body).token("IGQVJ").strictly_refused("token_locations");
}

#[test]
fn intuit_synthetic() {
    let body = r#"{"access_token":"a","expires_in":3600,"refresh_token":"r","token_type":"bearer",
        "x_refresh_token_expires_in":8726400}"#;
    hear(providers::intuit(), 200, body)
        .token("a")
        .extra("x_refresh_token_expires_in", 8_726_400)
        .strictly_granted();
}

#[test]
fn kakao_recorded() {
    hear(providers::kakao(), 200, r#"{"access_token":"foobar"}"#)
        .token("foobar")
        .strictly_refused("default_token_type");
}

#[test]
fn keycloak_synthetic() {
    let body = r#"{"access_token":"e","expires_in":300,"refresh_expires_in":1800,"refresh_token":"r",
        "token_type":"Bearer","not-before-policy":0,"session_state":"s","scope":"profile email"}"#;
    hear(providers::keycloak("https://sso.example.com/realms/example").unwrap(), 200, body)
        .token("e")
        .extra("not-before-policy", 0)
        .strictly_granted();
}

#[test]
fn lark_recorded_by_feishu() {
    hear(providers::lark(), 200, FEISHU)
        .token("u-6U1SbDiM6XIH2DcTCPyeub")
        .strictly_refused("token_locations");
}

#[test]
fn line_synthetic() {
    let body = r#"{"access_token":"bNl4","expires_in":2592000,"id_token":"e","refresh_token":"Aa1F",
        "scope":"profile","token_type":"Bearer"}"#;
    hear(providers::line(), 200, body).token("bNl4").renewable().strictly_granted();
}

#[test]
fn linkedin_synthetic() {
    let body = r#"{"access_token":"AQ","expires_in":5183999,"scope":"email,openid,profile"}"#;
    hear(providers::linkedin(), 200, body)
        .token("AQ")
        .scope("email openid profile")
        .strictly_refused("default_token_type");
}

#[test]
fn linkedin_synthetic_error() {
    let body = r#"{"serviceErrorCode":65600,"message":"Invalid access token","status":401}"#;
    hear(providers::linkedin(), 401, body)
        .refused("65600", "Invalid access token")
        .strictly_refused("error_detectors");
}

#[test]
fn mailchimp_recorded() {
    let body = r#"{"access_token":"mailchimp","expires_in":0,"scope":null}"#;
    hear(providers::mailchimp(), 200, body)
        .token("mailchimp")
        .lives(None)
        .strictly_refused("default_token_type");
}

#[test]
fn microsoft_entra_synthetic() {
    let body = r#"{"token_type":"Bearer","scope":"User.Read profile openid email","expires_in":3736,
        "ext_expires_in":3736,"access_token":"eyJ0","refresh_token":"M.R3","id_token":"eyJ1"}"#;
    let heard = hear(providers::microsoft_entra("common").unwrap(), 200, body)
        .token("eyJ0")
        .renewable()
        .extra("ext_expires_in", 3736);
    assert!(heard.tokens().additional_scope().contains("User.Read"));
    heard.strictly_granted();
}

#[test]
fn microsoft_live_recorded() {
    let body = r#"{"access_token":"foobar","token_type":"bearer","id_token":"","expires_in":3600,
        "expires_on":1423650396,"not_before":1423646496,"refresh_token":"foobar-refresh-token"}"#;
    hear(providers::microsoft_live(), 200, body)
        .token("foobar")
        .lives(3600)
        .renewable()
        .extra("expires_on", 1_423_650_396)
        .strictly_granted();
}

#[test]
fn monday_synthetic() {
    let body = r#"{"access_token":"eyJ0","token_type":"Bearer","scope":"me:read boards:read"}"#;
    hear(providers::monday(), 200, body).token("eyJ0").lives(None).strictly_granted();
}

// NationBuilder to Strava

#[test]
fn nationbuilder_recorded() {
    let body = r#"{"access_token":"foobar","token_type":"bearer","created_at":1422937981,"expires_in":2592000}"#;
    hear(providers::nationbuilder("example").unwrap(), 200, body)
        .token("foobar")
        .lives(2_592_000)
        .strictly_granted();
}

#[test]
fn naver_synthetic() {
    let body = r#"{"access_token":"AAAA","refresh_token":"c8ce","token_type":"bearer","expires_in":"3600"}"#;
    hear(providers::naver(), 200, body).token("AAAA").lives(3600).strictly_granted();
}

#[test]
fn notion_synthetic() {
    let body = r#"{"access_token":"secret_a","token_type":"bearer","bot_id":"b",
        "owner":{"type":"user","user":{"id":"u"}},"workspace_id":"w"}"#;
    hear(providers::notion(), 200, body)
        .token("secret_a")
        .lives(None)
        .extra("owner", json!({"type":"user","user":{"id":"u"}}))
        .strictly_granted();
}

#[test]
fn odnoklassniki_synthetic() {
    let body = r#"{"access_token":"-s-a","refresh_token":"r","expires_in":"1800"}"#;
    hear(providers::odnoklassniki(), 200, body)
        .token("-s-a")
        .lives(1800)
        .strictly_refused("default_token_type");
}

#[test]
fn okta_synthetic() {
    let body =
        r#"{"token_type":"Bearer","expires_in":3600,"access_token":"eyJ0","scope":"openid"}"#;
    hear(providers::okta("example.okta.com").unwrap(), 200, body).token("eyJ0").strictly_granted();
    let error = r#"{"error":"invalid_grant","error_description":"expired"}"#;
    hear(providers::okta_custom("example.okta.com", "default").unwrap(), 400, error)
        .refused("invalid_grant", "expired")
        .strictly_denied();
}

#[test]
fn paypal_synthetic() {
    let body =
        r#"{"scope":"openid","access_token":"A21A","token_type":"Bearer","expires_in":"86400"}"#;
    hear(providers::paypal(), 200, body).token("A21A").lives(86400).strictly_granted();
}

#[test]
fn pinterest_synthetic() {
    let body = r#"{"access_token":"pina_a","refresh_token":"pinr_r","response_type":"authorization_code",
        "token_type":"bearer","expires_in":2592000,"scope":"boards:read"}"#;
    hear(providers::pinterest(), 200, body).token("pina_a").renewable().strictly_granted();
    hear(providers::pinterest(), 400, r#"{"code":283,"message":"Invalid code"}"#)
        .refused("283", "Invalid code")
        .strictly_refused("error_detectors");
}

#[test]
fn plentymarkets_recorded() {
    let body = r#"{"accessToken":"plentymarkets","tokenType":"Bearer","expiresIn":86400,"refreshToken":"r"}"#;
    let shop = providers::plentymarkets("example.plentymarkets-cloud-de.com").unwrap();
    super::hear_program(shop, 200, body)
        .token("plentymarkets")
        .lives(86400)
        .strictly_refused("camel_case_members");
}

#[test]
fn qiita_recorded() {
    let body = r#"{"token":"foobar","token_type":"bearer"}"#;
    hear(providers::qiita(), 200, body).token("foobar").strictly_refused("member_aliases");
}

#[test]
fn qiita_synthetic_201() {
    let body = r#"{"client_id":"a91f","scopes":["read_qiita"],"token":"ea5d"}"#;
    hear(providers::qiita(), 201, body)
        .token("ea5d")
        .scope("read_qiita")
        .strictly_refused("any_success_status");
}

#[test]
fn qq_synthetic_form() {
    let body = "access_token=FE04&expires_in=7776000&refresh_token=88E4";
    hear(providers::qq(), 200, body)
        .token("FE04")
        .lives(7_776_000)
        .renewable()
        .strictly_refused("answer_format");
}

#[test]
fn qq_synthetic_jsonp_error() {
    let body = r#"callback( {"error":100019,"error_description":"code to access token error"} );"#;
    hear(providers::qq(), 200, body)
        .refused("invalid_grant", "100019: code to access token error")
        .strictly_refused("answer_format");
}

#[test]
fn reddit_recorded() {
    let body = r#"{"access_token":"foobar-token","expires_in":3600.0,"token_type":"bearer",
        "scope":"identity","refresh_token":"foobar-refresh-token"}"#;
    hear(providers::reddit(), 200, body)
        .token("foobar-token")
        .lives(3600)
        .renewable()
        .strictly_granted();
}

#[test]
fn reddit_synthetic_error() {
    hear(providers::reddit(), 401, r#"{"message":"Unauthorized","error":401}"#)
        .refused("invalid_client", "401: Unauthorized")
        .strictly_refused("error_detectors");
    hear(providers::reddit(), 200, r#"{"error":"invalid_grant"}"#)
        .refused("invalid_grant", None)
        .strictly_denied();
}

#[test]
fn salesforce_synthetic() {
    let body = r#"{"access_token":"00Dx!A","instance_url":"https://example.my.salesforce.com",
        "id":"https://login.salesforce.com/id/0/1","token_type":"Bearer","issued_at":"1278448832702",
        "signature":"s","refresh_token":"5Aep"}"#;
    hear(providers::salesforce(), 200, body)
        .token("00Dx!A")
        .lives(None)
        .renewable()
        .extra("instance_url", "https://example.my.salesforce.com")
        .extra("issued_at", "1278448832702")
        .strictly_granted();
    hear(providers::salesforce_at("example.my.salesforce.com").unwrap(), 200, body).token("00Dx!A");
}

#[test]
fn sentry_integration_synthetic() {
    let body = r#"{"id":"38","token":"ec48","refreshToken":"5992","dateCreated":"2023-11-14T22:13:20Z",
        "expiresAt":"2023-11-15T06:13:20Z","state":null,"application":null}"#;
    super::hear_program(providers::sentry_integration("example").unwrap(), 201, body)
        .token("ec48")
        .lives(8 * 3600)
        .strictly_refused("any_success_status");
}

#[test]
fn seznam_synthetic() {
    let body =
        r#"{"access_token":"a","token_type":"bearer","expires_in":3600,"scopes":["identity"]}"#;
    hear(providers::seznam(), 200, body).token("a").scope("identity").strictly_granted();
}

#[test]
fn shopify_synthetic() {
    let body = r#"{"access_token":"f85632","scope":"write_orders,read_customers","expires_in":86399,
        "associated_user_scope":"write_orders","associated_user":{"id":902541635}}"#;
    hear(providers::shopify("example").unwrap(), 200, body)
        .token("f85632")
        .scope("write_orders read_customers")
        .extra("associated_user", json!({"id":902_541_635}))
        .strictly_refused("default_token_type");
}

#[test]
fn slack_recorded() {
    let body = r#"{"ok":true,"access_token":"xoxb-17653672481-…","token_type":"bot",
        "scope":"commands,incoming-webhook","bot_user_id":"U0KRQLJ9H","app_id":"A0KRD7HC3",
        "team":{"id":"T"},"authed_user":{"id":"U1234","scope":"chat:write",
        "access_token":"xoxp-1234","token_type":"user"}}"#;
    // The record was cut where its ellipsis stands.
    let body = body.replace('…', "1");
    hear(providers::slack(), 200, &body)
        .token("xoxb-17653672481-1")
        .scope("commands incoming-webhook")
        .extra("user_access_token", "xoxp-1234")
        .extra("bot_user_id", "U0KRQLJ9H")
        .strictly_unusable("bearer_token_types");
}

#[test]
fn slack_synthetic() {
    let user = r#"{"ok":true,"app_id":"A","authed_user":{"id":"U1234","scope":"chat:write",
        "access_token":"xoxp-1234","token_type":"user"},"team":{"id":"T"}}"#;
    hear(providers::slack(), 200, user)
        .token("xoxp-1234")
        .scope("chat:write")
        .strictly_refused("token_locations");
    hear(providers::slack(), 200, r#"{"ok":false,"error":"invalid_code"}"#)
        .refused("invalid_grant", "invalid_code")
        .strictly_denied();
}

#[test]
fn spotify_synthetic() {
    let body = r#"{"access_token":"NgCX","token_type":"Bearer","scope":"user-read-email","expires_in":3600,"refresh_token":"NgAa"}"#;
    hear(providers::spotify(), 200, body).token("NgCX").renewable().strictly_granted();
}

#[test]
fn strava_recorded() {
    let body = r#"{"token_type":"Bearer","expires_at":1572805000,"expires_in":227615,
        "refresh_token":"f51defab","access_token":"83ebeabd","athlete":{"id":1}}"#;
    hear(providers::strava(), 200, body)
        .token("83ebeabd")
        .lives(227_615)
        .extra("athlete", json!({"id":1}))
        .strictly_granted();
}

#[test]
fn strava_recorded_error() {
    let body = r#"{"message":"Bad Request","errors":[{"resource":"Application","field":"client_id","code":"invalid"}]}"#;
    hear(providers::strava(), 400, body)
        .refused("invalid_client", "Application: Bad Request")
        .strictly_refused("error_detectors");
}

#[test]
fn stripe_recorded() {
    let body = r#"{"stripe_publishable_key":"pk_test_foobar","access_token":"foobar","livemode":false,
        "token_type":"bearer","scope":"read_only","refresh_token":"rt_foobar","stripe_user_id":"acct_foobar"}"#;
    hear(providers::stripe(), 200, body)
        .token("foobar")
        .renewable()
        .extra("stripe_user_id", "acct_foobar")
        .extra("livemode", false)
        .strictly_granted();
    hear(providers::stripe_apps(), 200, body).token("foobar");
}

// Threads to Zoom

#[test]
fn threads_synthetic() {
    let body = r#"{"access_token":"THQVJ","token_type":"bearer","expires_in":5183944}"#;
    hear(providers::threads(), 200, body).token("THQVJ").renewable().strictly_granted();
    let error = r#"{"error":{"message":"Session has expired","type":"OAuthException","code":190}}"#;
    hear(providers::threads(), 400, error)
        .refused("invalid_grant", "190: Session has expired")
        .strictly_refused("error_detectors");
}

#[test]
fn tiktok_synthetic() {
    let body = r#"{"access_token":"act.a","expires_in":86400,"open_id":"o","refresh_expires_in":31536000,
        "refresh_token":"rft.r","scope":"user.info.basic,video.list","token_type":"Bearer"}"#;
    hear(providers::tiktok(), 200, body)
        .token("act.a")
        .scope("user.info.basic video.list")
        .extra("open_id", "o")
        .strictly_granted();
    let error = r#"{"error":"invalid_grant","error_description":"Code is expired.","log_id":"l"}"#;
    hear(providers::tiktok(), 200, error)
        .refused("invalid_grant", "Code is expired.")
        .strictly_denied();
}

#[test]
fn tiktok_business_synthetic() {
    let body = r#"{"code":0,"message":"OK","request_id":"q","data":{"access_token":"a","scope":["4"],
        "advertiser_ids":["1"]}}"#;
    hear(providers::tiktok_business(), 200, body)
        .token("a")
        .scope("4")
        .extra("advertiser_ids", json!(["1"]))
        .strictly_refused("token_locations");
    hear(
        providers::tiktok_business(),
        200,
        r#"{"code":40110,"message":"Auth_code is used","data":{}}"#,
    )
    .refused("40110", "Auth_code is used")
    .strictly_refused("error_detectors");
}

#[test]
fn twitch_synthetic() {
    let body = r#"{"access_token":"rfx2","expires_in":14124,"refresh_token":"5b93",
        "scope":["channel:moderate","chat:edit"],"token_type":"bearer"}"#;
    hear(providers::twitch(), 200, body)
        .token("rfx2")
        .scope("channel:moderate chat:edit")
        .renewable()
        .strictly_refused("granted_scope");
}

#[test]
fn twitch_synthetic_error() {
    let body = r#"{"error":"Bad Request","status":400,"message":"Invalid refresh token"}"#;
    hear_refresh(providers::twitch(), 400, body)
        .refused("invalid_grant", "Invalid refresh token: Bad Request")
        .strictly_denied();
    let body = r#"{"status":403,"message":"invalid client secret"}"#;
    hear(providers::twitch(), 403, body)
        .refused("invalid_client", "invalid client secret")
        .strictly_refused("error_detectors");
}

#[test]
fn untappd_synthetic() {
    let body = r#"{"meta":{"http_code":200},"response":{"access_token":"TOKENHERE"}}"#;
    hear(providers::untappd(), 200, body).token("TOKENHERE").strictly_refused("token_locations");
    let error =
        r#"{"meta":{"code":500,"error_detail":"The code is invalid","error_type":"invalid_auth"}}"#;
    hear(providers::untappd(), 400, error)
        .refused("invalid_grant", "invalid_auth: The code is invalid")
        .strictly_refused("error_detectors");
}

#[test]
fn vk_recorded() {
    let body = r#"{"access_token":"testac","refresh_token":"XXXXX","expires_in":0,"user_id":1234567890,
        "state":"XXX","scope":"email phone"}"#;
    hear(providers::vk(), 200, body)
        .token("testac")
        .lives(None)
        .extra("user_id", 1_234_567_890)
        .strictly_refused("default_token_type");
}

#[test]
fn wechat_synthetic() {
    let body = r#"{"access_token":"ACCESS","expires_in":7200,"refresh_token":"REFRESH",
        "openid":"OPENID","scope":"snsapi_login","unionid":"o6_b"}"#;
    hear(providers::wechat(), 200, body)
        .token("ACCESS")
        .lives(7200)
        .renewable()
        .extra("openid", "OPENID")
        .strictly_refused("default_token_type");
    hear(providers::wechat(), 200, r#"{"errcode":40029,"errmsg":"invalid code"}"#)
        .refused("invalid_grant", "40029: invalid code")
        .strictly_refused("error_detectors");
}

#[test]
fn weibo_recorded() {
    hear(providers::weibo(), 200, r#"{"access_token":"weibo"}"#)
        .token("weibo")
        .strictly_refused("default_token_type");
}

#[test]
fn withings_synthetic() {
    let body = r#"{"status":0,"body":{"userid":"363","access_token":"a075","refresh_token":"f631",
        "expires_in":10800,"scope":"user.info,user.metrics","token_type":"Bearer"}}"#;
    hear(providers::withings(), 200, body)
        .token("a075")
        .scope("user.info user.metrics")
        .extra("userid", "363")
        .strictly_refused("token_locations");
    hear(
        providers::withings(),
        200,
        r#"{"status":503,"body":{},"error":"Invalid Params: invalid code"}"#,
    )
    .refused("503", "Invalid Params: invalid code");
}

#[test]
fn x_synthetic() {
    let body = r#"{"token_type":"bearer","expires_in":7200,"access_token":"a","scope":"tweet.read offline.access","refresh_token":"r"}"#;
    hear(providers::x(), 200, body).token("a").renewable().strictly_granted();
}

#[test]
fn yammer_recorded() {
    let body = r#"{"access_token":{"user_id":1010101010,"token":"foobar","expires_at":null}}"#;
    hear(providers::yammer(), 200, body)
        .token("foobar")
        .extra("user_id", 1_010_101_010)
        .strictly_refused("token_locations");
}

#[test]
fn yandex_synthetic() {
    let body = r#"{"access_token":"AQAA","expires_in":124234123534,"refresh_token":"1:GN","token_type":"bearer"}"#;
    hear(providers::yandex(), 200, body).token("AQAA").lives(0x7FFF_FFFF).strictly_granted();
}

#[test]
fn zoho_synthetic() {
    let body = r#"{"access_token":"1000.a","refresh_token":"1000.r","expires_in_sec":3600,
        "expires_in":3600000,"api_domain":"https://www.zohoapis.com","token_type":"Bearer"}"#;
    hear(providers::zoho("com").unwrap(), 200, body)
        .token("1000.a")
        .lives(3600)
        .extra("api_domain", "https://www.zohoapis.com")
        .strictly_granted();
    hear(
        providers::zoho("com").unwrap(),
        200,
        r#"{"access_token":"a","expires_in":3600,"token_type":"Bearer"}"#,
    )
    .lives(3600);
    hear(providers::zoho("com").unwrap(), 200, r#"{"error":"invalid_code"}"#)
        .refused("invalid_grant", "invalid_code")
        .strictly_denied();
}

#[test]
fn zoom_synthetic() {
    let body = r#"{"access_token":"eyJ0","token_type":"bearer","refresh_token":"eyJ1",
        "expires_in":3599,"scope":"user:read:user,meeting:read"}"#;
    hear(providers::zoom(), 200, body)
        .token("eyJ0")
        .lives(3599)
        .scope("user:read:user meeting:read")
        .strictly_granted();
}
