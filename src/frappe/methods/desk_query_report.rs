//! Saved reports: `frappe.desk.query_report.run` and `/api/report/{name}`.

use actix_web::HttpRequest;
use actix_web::http::header::{Accept, Header as _};
use actix_web::web::{Bytes, Data};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use crate::domain::Instant;
use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::http::params::Params;
use crate::http::{State, extract, sheet};
use crate::resource::report::{self, Report, ReportColumn, ReportParams};

/// The parameter that names a report; that of `/api/report/{name}` is its path.
pub const NAME: &str = "report_name";

/// A report with its columns, as Frappe answers it.
// Frappe: no rows for reports of the report builder, which its own pages put together, here: their rows, because
// other clients have no way to.
pub fn run(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let asked = report_params(&call.params)?;
        Ok(Reply::message_text(answer(call, asked).await?))
    })
}

/// `GET /api/report/{name}`: the same under `data`, or as a CSV file.
pub fn api_report(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let asked = report_params(&call.params)?;
        if wants_csv(&call)? { download(call, asked).await } else { Ok(Reply::data(answer(call, asked).await?)) }
    })
}

fn report_params(params: &Params) -> Result<ReportParams, AppError> {
    Ok(ReportParams {
        name: params.required(NAME)?,
        filters: params.json("filters")?,
        start: params.number("limit_start")?.unwrap_or_default(),
        limit: params.number("limit")?.unwrap_or_default(),
    })
}

async fn answer(call: Call<'_>, asked: ReportParams) -> Result<String, AppError> {
    let caller = call.identity.caller;
    let clock = &call.state.env.clock;
    let began = clock.now();
    let report = call.state.query(move |cx| report::run(cx, &caller, &asked)).await?;
    Ok(show(&report, began, clock.now()))
}

/// The members in Frappe's order; its rows are not parsed again.
fn show(report: &Report, began: Instant, ended: Instant) -> String {
    let rest = json!({
        "columns": report.columns.iter().map(column).collect::<Vec<_>>(),
        "message": null,
        "chart": null,
        "report_summary": null,
        "skip_total_row": 0,
        "status": null,
        "execution_time": ended.since(began).as_secs_f64(),
        "add_total_row": report.add_total_row,
        "has_next_page": report.page.has_next_page,
    })
    .to_string();
    format!(r#"{{"result":{},{}"#, report.page.to_json(), &rest[1..])
}

fn column(column: &ReportColumn) -> Value {
    json!({
        "fieldname": column.fieldname,
        "label": column.label,
        "fieldtype": column.fieldtype,
        "options": Some(&column.options).filter(|options| !options.is_empty()),
        "width": column.width,
    })
}

/// Whether a file is asked for: by `format`, else by what `Accept` names first.
fn wants_csv(call: &Call<'_>) -> Result<bool, AppError> {
    match call.params.text("format").as_deref().map(str::trim) {
        None | Some("") => {
            let accepted = Accept::parse(call.request).map(|accept| accept.ranked()).unwrap_or_default();
            Ok(accepted.first().is_some_and(|first| first.essence_str() == extract::CSV))
        }
        Some(format) if format.eq_ignore_ascii_case("json") => Ok(false),
        Some(format) if format.eq_ignore_ascii_case("csv") => Ok(true),
        Some(_) => Err(AppError::InvalidData("format must be json or csv".into())),
    }
}

/// The whole report as a file. `limit` and `limit_start` do not count.
async fn download(call: Call<'_>, asked: ReportParams) -> Result<Reply, AppError> {
    let state = call.request.app_data::<Data<State>>().ok_or_else(|| AppError::internal("a request without state"))?.clone();
    let caller = call.identity.caller;
    let user = caller.name().to_owned();
    let wanted = asked.clone();
    let first = state.query(move |cx| report::export(cx, &caller, &wanted, None)).await?;
    let labels = first.columns.iter().map(|column| column.label.as_str());
    let beginning = sheet::beginning(labels, &first.rows)?;
    let rest = Download { state, request: call.request.clone(), asked, user, columns: first.columns, next: first.next };
    let pages = sheet::pages(beginning, rest, Download::page);
    // The request's own line is written when the headers are sent, so it cannot say how this ended.
    let logged = pages.inspect_err(|error| tracing::warn!(cause = %error, "a report broke off while it was sent"));
    Ok(Reply::response(sheet::response(call.request, &first.name, logged)))
}

/// What is still to be sent of a report.
struct Download {
    state: Data<State>,
    request: HttpRequest,
    asked: ReportParams,
    /// Who began it.
    user: String,
    columns: Vec<ReportColumn>,
    next: Option<String>,
}

impl Download {
    /// The next page. Between two pages nothing is held, and before each it is settled anew who asks and what they may see:
    /// a slow reader may have lost the right to go on.
    async fn page(mut self) -> Result<Option<(Bytes, Self)>, AppError> {
        let Some(after) = self.next.take() else { return Ok(None) };
        let facts = extract::facts(&self.request, &self.state.env.config.server.trusted_proxies);
        let caller = self.state.identify(&facts).await?.caller;
        if caller.name() != self.user {
            return Err(AppError::Unauthenticated);
        }
        let asked = self.asked.clone();
        let sheet = self.state.query(move |cx| report::export(cx, &caller, &asked, Some(&after))).await?;
        if sheet.columns != self.columns {
            return Err(AppError::InvalidData("the report has other columns by now".into()));
        }
        self.next = sheet.next;
        Ok(Some((sheet::lines(&sheet.rows)?, self)))
    }
}
