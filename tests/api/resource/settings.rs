//! The settings that Frappe keeps as documents.

use serde_json::{Value, json};

use super::keys;
use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    system_settings_have_the_names_and_values_of_frappe,
    what_would_have_no_effect_cannot_be_set,
    settings_say_what_is_configured,
    only_a_system_manager_reads_settings,
);

const SYSTEM: &str = "/api/resource/System%20Settings/System%20Settings";
const OAUTH: &str = "/api/resource/OAuth%20Settings/OAuth%20Settings";

/// As recorded from Frappe 15 (transcript 276), but for times, and for what is configured here.
const RECORDED: &str = r##"{
"app_name": "Frappe", "enable_onboarding": 0, "setup_complete": 0, "disable_document_sharing": 0,
"date_format": "yyyy-mm-dd", "time_format": "HH:mm:ss", "number_format": "#,###.##", "use_number_format_from_currency": 0,
"first_day_of_the_week": "Sunday", "float_precision": "", "currency_precision": "",
"rounding_method": "Banker's Rounding (legacy)", "apply_strict_user_permissions": 0, "allow_older_web_view_links": 0,
"session_expiry": "170:00", "document_share_key_expiry": 30, "deny_multiple_sessions": 0, "disable_user_pass_login": 0,
"allow_login_using_mobile_number": 0, "allow_login_using_user_name": 0, "login_with_email_link": 1,
"login_with_email_link_expiry": 10, "rate_limit_email_link_login": 0, "allow_consecutive_login_attempts": 10,
"allow_login_after_fail": 60, "enable_two_factor_auth": 0, "bypass_2fa_for_retricted_ip_users": 0,
"bypass_restrict_ip_check_if_2fa_enabled": 0, "two_factor_method": "OTP App", "lifespan_qrcode_image": 0,
"otp_issuer_name": "Frappe Framework", "logout_on_password_reset": 1, "force_user_to_reset_password": 0,
"reset_password_link_expiry_duration": "1200", "password_reset_limit": 3, "enable_password_policy": 1,
"minimum_password_score": "2", "email_retry_limit": 3, "disable_standard_email_footer": 0,
"hide_footer_in_auto_email_reports": 0, "attach_view_link": 1, "store_attached_pdf_document": 1, "max_file_size": 0,
"allow_guests_to_upload_files": 0, "force_web_capture_mode_for_uploads": 0, "strip_exif_metadata_from_uploaded_images": 1,
"disable_system_update_notification": 0, "disable_change_log_notification": 0, "backup_limit": 3, "encrypt_backup": 0,
"max_auto_email_report_per_user": 20, "enable_scheduler": 0, "dormant_days": 4, "allow_error_traceback": 1,
"enable_telemetry": 1, "link_field_results_limit": 10, "doctype": "System Settings"
}"##;

async fn system_settings_have_the_names_and_values_of_frappe(app: TestApp) {
    let shown = app.administrator().await.get(SYSTEM).send().await.expect_status(200).data();
    let recorded: Value = serde_json::from_str(RECORDED).expect("JSON");
    let recorded_keys = keys(&recorded);
    let shown_keys: Vec<&str> = keys(&shown).into_iter().filter(|key| recorded_keys.contains(key)).collect();
    assert_eq!(shown_keys, recorded_keys);
    for key in recorded_keys {
        assert_eq!(shown[key], recorded[key], "{key}");
    }
    assert_eq!(shown["name"], json!("System Settings"));
}

async fn what_would_have_no_effect_cannot_be_set(app: TestApp) {
    let administrator = app.administrator().await;
    let set = async |path: &str, fields: Value| administrator.put(path).json(&fields).send().await;
    let changed = set(SYSTEM, json!({ "date_format": "dd-mm-yyyy", "app_name": "Ours" })).await.expect_status(200).data();
    assert_eq!((&changed["date_format"], &changed["app_name"]), (&json!("dd-mm-yyyy"), &json!("Ours")));
    for (path, fields, label) in [
        (SYSTEM, json!({ "session_expiry": "1:00" }), "Session Expiry"),
        (SYSTEM, json!({ "enable_two_factor_auth": 1 }), "Enable Two Factor Auth"),
        (SYSTEM, json!({ "time_zone": "Asia/Kolkata" }), "Time Zone"),
        (OAUTH, json!({ "enable_dynamic_client_registration": 1 }), "Enable Dynamic Client Registration"),
    ] {
        let refused = set(path, fields).await.expect_status(417);
        assert!(refused.text().contains(label), "{}", refused.text());
    }
    // A client that sends back the whole document changes nothing else.
    let whole = administrator.get(SYSTEM).send().await.expect_status(200).data();
    set(SYSTEM, whole).await.expect_status(200);
}

async fn settings_say_what_is_configured(setup: Setup) {
    let app = setup
        .configure(|config| {
            config.site.time_zone = "Asia/Kolkata".parse().expect("a time zone");
            config.site.name = "Our Site".into();
            config.oauth.registration = ostiary::config::Registration::Open;
        })
        .start()
        .await;
    let administrator = app.administrator().await;
    let system = administrator.get(SYSTEM).send().await.expect_status(200).data();
    assert_eq!((&system["time_zone"], &system["language"]), (&json!("Asia/Kolkata"), &json!("en")));
    let oauth = administrator.get(OAUTH).send().await.expect_status(200).data();
    for (key, value) in [
        ("resource_name", json!("Our Site")),
        ("enable_dynamic_client_registration", json!(1)),
        ("show_auth_server_metadata", json!(1)),
        ("show_protected_resource_metadata", json!(1)),
        ("skip_authorization", json!(0)),
    ] {
        assert_eq!(oauth[key], value, "{key}");
    }
}

async fn only_a_system_manager_reads_settings(app: TestApp) {
    let amina = app.user_with_roles("amina@example.com", &["Agent"]).await.api_key().await;
    for path in [SYSTEM, OAUTH] {
        amina.get(path).send().await.expect_status(403);
        amina.put(path).json(&json!({ "date_format": "dd-mm-yyyy" })).send().await.expect_status(403);
        app.anonymous().get(path).send().await.expect_status(403);
    }
    let manager = app.user_with_roles("manager@example.com", &["System Manager"]).await.api_key().await;
    manager.get(SYSTEM).send().await.expect_status(200);
    manager.get(OAUTH).send().await.expect_status(200);
}
