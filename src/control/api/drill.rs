//! `/drill/…`: commands to the scenario that is played.

use crate::{
    control::{
        App,
        api::{body::Body, problem::Problem, show::Json, status},
    },
    diag::{Code, Diagnostic, closest},
    engine::Controls,
    read::{Field, Kind, Reader, Shape},
    scenario::Scenario,
    timeline::Speed,
    units::{Quantity as _, show_duration},
    yaml::{Node, Spanned},
};
use axum::{Router, extract::State, routing::post};
use std::{sync::Arc, time::Duration};

type Answer = Result<Json, Problem>;

static SEEK: Shape = Shape {
    what: "a seek",
    fields: &[Field::required("to", Kind::Text, "a scenario time, such as `2m30s`, or a phase")],
};

static SPEED: Shape = Shape {
    what: "a change of speed",
    fields: &[Field::required("speed", Kind::Number, "how many times faster than life: 60")],
};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/drill/pause", post(async |state| command(state, Controls::pause).await))
        .route("/drill/resume", post(async |state| command(state, Controls::resume).await))
        .route("/drill/skip", post(async |state| command(state, Controls::skip).await))
        .route("/drill/abort", post(async |state| command(state, Controls::abort).await))
        .route("/drill/seek", post(seek))
        .route("/drill/speed", post(speed))
}

async fn command(State(app): State<Arc<App>>, command: fn(&Controls)) -> Answer {
    played(&app)?;
    command(&app.controls);
    Ok(settled(&app).await)
}

/// Where the drill stands, once what was commanded is in force.
async fn settled(app: &App) -> Json {
    app.controls.settled().await;
    Json(status::drill(app))
}

async fn seek(State(app): State<Arc<App>>, body: Body) -> Answer {
    let scenario = played(&app)?;
    let to = body.read(|node, reader| {
        let fields = reader.fields(node, &SEEK)?;
        place(fields.get("to")?, scenario, &app.controls, reader)
    })?;
    app.controls.seek(to);
    Ok(settled(&app).await)
}

async fn speed(State(app): State<Arc<App>>, body: Body) -> Answer {
    played(&app)?;
    let speed = body.read(|node, reader| {
        let fields = reader.fields(node, &SPEED)?;
        let node = fields.get("speed")?;
        let text = reader.text(node)?;
        let speed = text.parse::<Speed>();
        let title = format!("`{text}` is no speed");
        speed
            .map_err(|why| {
                reader.problem(Diagnostic::new(Code::E0203, title, node.span).help(why));
            })
            .ok()
    })?;
    app.controls.speed(speed);
    Ok(settled(&app).await)
}

/// The scenario, as long as it is played.
fn played(app: &App) -> Result<&Scenario, Problem> {
    let scenario = app.scenario.as_deref();
    let scenario = scenario.ok_or_else(|| Problem::conflict("no scenario is played"))?;
    if app.controls.status().over {
        return Err(Problem::conflict("the drill is over"));
    }
    Ok(scenario)
}

/// The scenario time that a phase's name or a time means.
fn place(
    node: &Spanned<Node>,
    scenario: &Scenario,
    controls: &Controls,
    reader: &mut Reader<'_>,
) -> Option<Duration> {
    let text = reader.name(node)?;
    let timeline = controls.timeline();
    if let Some(phase) = scenario.phases.iter().position(|phase| phase.name == text) {
        return Some(timeline.start_of(phase));
    }
    let Ok(time) = Duration::parse(&text) else {
        let title = format!("`{text}` is neither a phase nor a time");
        let problem = Diagnostic::new(Code::E0310, title, node.span);
        let names = scenario.phases.iter().map(|phase| &*phase.name);
        reader.problem(match closest(&text, names) {
            Some(near) => problem.saying(format!("did you mean `{near}`?")),
            None => problem.help("name a phase of the scenario, or a time such as `2m30s`"),
        });
        return None;
    };
    if time > timeline.length() {
        let title = format!("the scenario ends at {}", show_duration(timeline.length()));
        let problem = Diagnostic::new(Code::E0203, title, node.span);
        reader.problem(problem.help("choose a time before that; `abort` ends the drill"));
        return None;
    }
    Some(time)
}
