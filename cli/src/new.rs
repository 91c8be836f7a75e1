//! `new`: a directory with an agent that builds and runs.

use super::init::{self, Outline, is_name, quoted};
use super::output::Answer;
use super::{Done, Failure, code};
use clap::{Args, ValueEnum};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct New {
    /// The name of the agent and of its directory: lower-case letters, digits and `-`
    name: String,
    /// The language that it is written in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// The directory of the guest SDK, for Rust. Without it: the one in the repository of this program
    #[arg(long, value_name = "DIRECTORY")]
    sdk: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    Js,
    Python,
}

/// What an agent of a language is made of: the examples of the repository, which its tests build and run.
struct Template {
    /// The name of the example, which stands in its files.
    example: &'static str,
    files: &'static [(&'static str, &'static str)],
    component: fn(&str) -> String,
    /// How it is built; `{}` is the agent's name.
    build: &'static [&'static str],
    /// Whether it reads its placeholder from the environment.
    is_exposed: bool,
}

macro_rules! example {
    ($path:literal) => {
        include_str!(concat!("../../examples/agents/", $path))
    };
}

const SECRET: &str = "PRICE_API_KEY";
const HOST: &str = "api.example.com";

fn template(language: Language) -> Template {
    match language {
        Language::Rust => Template {
            example: "price-rs",
            files: &[("src/main.rs", example!("price-rs/src/main.rs")), (".gitignore", "target/\n")],
            component: |name| format!("target/wasm32-wasip2/release/{name}.wasm"),
            build: &["rustup target add wasm32-wasip2", "cargo build --release --target wasm32-wasip2"],
            is_exposed: false,
        },
        Language::Js => Template {
            example: "price-js",
            files: &[
                ("main.js", example!("price-js/main.js")),
                ("package.json", example!("price-js/package.json")),
                ("package-lock.json", example!("price-js/package-lock.json")),
                ("wit/agent.wit", example!("price-js/wit/agent.wit")),
                (".gitignore", example!("price-js/.gitignore")),
            ],
            component: |name| format!("{name}.wasm"),
            build: &["npm ci", "npm run build"],
            is_exposed: true,
        },
        Language::Python => Template {
            example: "price-py",
            files: &[
                ("app.py", example!("price-py/app.py")),
                ("wasi_http.py", example!("price-py/wasi_http.py")),
                ("requirements.txt", example!("price-py/requirements.txt")),
                ("wit/agent.wit", example!("price-py/wit/agent.wit")),
                (".gitignore", example!("price-py/.gitignore")),
            ],
            component: |name| format!("{name}.wasm"),
            build: &[
                "python3 -m venv venv",
                "venv/bin/pip install -r requirements.txt",
                "venv/bin/componentize-py --wit-path wit --world agent componentize app --output {}.wasm",
            ],
            is_exposed: true,
        },
    }
}

impl New {
    pub(super) fn perform(self) -> Done {
        if !is_name(&self.name) {
            let found =
                format!("`{}` can't be an agent's name; use lower-case letters, digits and `-`", strongroom::text::for_people(&self.name));
            return Err(Failure::new(code::USAGE, found));
        }
        let (directory, template) = (Path::new(&self.name), template(self.lang));
        let package = if self.lang == Language::Rust { Some(package(&self.name, self.sdk.as_deref())?) } else { None };
        fs::create_dir(directory).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::new(code::USAGE, format!("{}: already exists; choose another name", directory.display())),
            _ => unwritten(directory, &error),
        })?;
        for (file, text) in template.files {
            write(&directory.join(file), &text.replace(template.example, &self.name))?;
        }
        if let Some(package) = package {
            write(&directory.join("Cargo.toml"), &package)?;
        }
        let commands: Vec<String> = template.build.iter().map(|line| line.replace("{}", &self.name)).collect();
        write(&directory.join("README.md"), &readme(&self.name, &commands))?;
        let outline = Outline {
            name: &self.name,
            component: &(template.component)(&self.name),
            grants: &[(SECRET.to_owned(), HOST.to_owned())],
            paths: &["/v1/price".to_owned()],
            methods: &[],
            placeholder: Some("pk_live_{hex:32}"),
            place: None,
            is_exposed: template.is_exposed,
        };
        init::put(&directory.join("agent.toml"), &outline)?;
        let steps: String = commands.iter().map(|line| format!("  {line}\n")).collect();
        Answer::new().line(format_args!(
            "made {0}; next:\n  cd {0}\n{steps}  {SECRET}=… strongroom run agent.toml\nagent.toml says what it may do: put your API's host and key there",
            self.name
        ))?;
        Ok(0)
    }
}

/// A package of its own, also within another workspace.
fn package(name: &str, sdk: Option<&Path>) -> Result<String, Failure> {
    let from = match sdk {
        None => format!("git = {}", quoted(env!("CARGO_PKG_REPOSITORY"))),
        Some(path) => {
            let whole = path.canonicalize().map_err(|error| Failure::new(code::USAGE, format!("{}: {error}", path.display())))?;
            format!("path = {}", quoted(&whole.display().to_string()))
        }
    };
    Ok(format!(
        "[package]\nname = {}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nstrongroom-guest = {{ {from} }}\n\n[workspace]\n",
        quoted(name)
    ))
}

fn readme(name: &str, build: &[String]) -> String {
    format!(
        "# {name}\n\nAn agent for Strongroom. It asks an API for a price with a key that it never holds; `agent.toml` says what it may do.\n\n\
         ```sh\n{}\n{SECRET}=… strongroom run agent.toml\n```\n",
        build.join("\n")
    )
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let parent = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).and_then(|()| fs::write(file, text)).map_err(|error| unwritten(file, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(code::USAGE, format!("{}: can't be written ({error})", path.display()))
}
