//! What operators ask of a host that serves: by its commands, by clients that know the OpenAPI document alone, and what each role may.

mod configuration;
mod document;
mod verbs;
