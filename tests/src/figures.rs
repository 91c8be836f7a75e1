//! Figures: a table for people, and a file for programs.

use serde_json::{Value, json};

/// One measured figure, with what it is held against.
pub struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    baseline: &'static str,
    baseline_value: f64,
    target: f64,
    holds: bool,
}

/// All figures of one benchmark.
pub struct Figures {
    bench: &'static str,
    figures: Vec<Figure>,
}

impl Figure {
    /// A figure that must not be above its target.
    pub fn at_most(name: &str, value: f64, unit: &'static str, baseline: &'static str, baseline_value: f64, target: f64) -> Self {
        Self { name: name.to_owned(), value, unit, baseline, baseline_value, target, holds: value <= target }
    }

    /// A figure that must not be below its target.
    pub fn at_least(name: &str, value: f64, unit: &'static str, baseline: &'static str, baseline_value: f64, target: f64) -> Self {
        Self { name: name.to_owned(), value, unit, baseline, baseline_value, target, holds: value >= target }
    }
}

impl Figures {
    /// No figures yet, of the benchmark of that name.
    pub fn new(bench: &'static str) -> Self {
        Self { bench, figures: Vec::new() }
    }

    /// Adds a figure and says so.
    pub fn add(&mut self, figure: Figure) {
        eprintln!("{}: {:.2} {}", figure.name, figure.value, figure.unit);
        self.figures.push(figure);
    }

    /// Prints the table and, where `write` is set, writes the file.
    pub fn finish(self, write: bool) {
        println!("\n{:62} {:>10} {:>10}  {:<6} {:>10}  against", "figure", "value", "target", "holds", "baseline");
        for figure in &self.figures {
            let value = format!("{:.2} {}", figure.value, figure.unit);
            let holds = if figure.holds { "yes" } else { "NO" };
            println!(
                "{:62} {value:>10} {:>10.2}  {holds:<6} {:>10.2}  {}",
                figure.name, figure.target, figure.baseline_value, figure.baseline
            );
        }
        if !write {
            return;
        }
        let list: Vec<Value> = self
            .figures
            .iter()
            .map(|f| {
                json!({"figure": f.name, "value": f.value, "unit": f.unit, "baseline": f.baseline, "baseline_value": f.baseline_value,
                       "target": f.target, "holds": f.holds})
            })
            .collect();
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/figures");
        let file = dir.join(format!("{}.json", self.bench));
        let text = serde_json::to_string_pretty(&list).expect("figures are JSON");
        std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&file, text)).expect("the figures can be written");
    }
}

/// A part of a benchmark: what measures some figures.
pub type Part = fn(&mut Figures);

/// Measures the parts that the command line names, or all where it names none. A part of the figures is for people alone: the file is written of all.
pub fn measure(bench: &'static str, parts: &[(&str, Part)]) {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut figures = Figures::new(bench);
    for (name, measure) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure(&mut figures);
        }
    }
    figures.finish(wanted.is_empty());
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The median of the ratios of two series that were taken in turn.
pub fn paired(above: &[f64], below: &[f64]) -> f64 {
    let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
    median(&ratios)
}
