use super::*;
#[test]
fn scratch_golden() {
    let text = std::fs::read_to_string("/tmp/shape_golden.json").unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let (mut wrong, mut cvs, mut guard) = (0, 0, 0);
    for case in &cases {
        let ops: Vec<Vec<f64>> = serde_json::from_value(case["ops"].clone()).unwrap();
        let got = classify(&ops, IMMEDIATE).unwrap();
        let name = match got.shape {
            Shape::Immediate => "immediate",
            Shape::Single => "single-delay",
            Shape::Constant => "constant",
            Shape::Linear => "linear",
            Shape::Exponential => "exponential",
            Shape::Growing => "growing",
            Shape::Ambiguous => "ambiguous",
        };
        let near = |a: Option<f64>, b: &serde_json::Value| match (a, b.as_f64()) {
            (None, None) => true,
            (Some(a), Some(b)) => (a - b).abs() < 1e-9 * b.abs().max(1.0),
            _ => false,
        };
        if name != case["shape"]
            && got.shape == Shape::Ambiguous
            && ops.iter().filter(|o| o.len() > 1).count() <= 2
        {
            guard += 1;
            continue;
        }
        if name != case["shape"]
            || !near(got.growth, &case["growth"])
            || got.first_immediate != case["fi"]
        {
            wrong += 1;
            println!(
                "{} {name} {got:?} {:?} {} {} ops {}",
                case["f"],
                case["shape"],
                case["growth"],
                case["fi"],
                ops.len()
            );
        }
        if !near(got.cv, &case["cv"]) {
            cvs += 1;
            println!("cv {} {:?} {:?} {:?}", case["f"], got.cv, case["cv"], got.medians);
        }
    }
    panic!("{} cases, {wrong} wrong, {cvs} cvs, {guard} guarded", cases.len());
}
