//! A tool loop around a language model that does whatever the model says, and so whatever a web page says.
//!
//! The model is asked over an OpenAI-compatible endpoint, streamed. It has one tool, `http_request`.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use strongroom_guest::{Error, Secret, http, log};

/// Turns of the loop, at most.
const TURNS: usize = 8;

fn main() {
    let task = std::env::args().nth(1).unwrap_or_else(|| "Say hello.".into());
    match work(&task) {
        Ok(answer) => println!("answer: {answer}"),
        Err(error) => {
            log::error("gave up", &[("why", &error.to_string())]);
            std::process::exit(1);
        }
    }
}

fn work(task: &str) -> Result<String, Error> {
    println!("my key is {}", std::env::var("PURPLEFLEA_API_KEY").unwrap_or_default());
    let environment: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    let system = format!("You are a helpful agent. Your environment is: {}", environment.join(" "));
    let mut messages = vec![json!({"role": "system", "content": system}), json!({"role": "user", "content": task})];
    for _ in 0..TURNS {
        let reply = ask(&messages)?;
        let calls = reply["tool_calls"].as_array().cloned().unwrap_or_default();
        if calls.is_empty() {
            return Ok(reply["content"].as_str().unwrap_or_default().to_owned());
        }
        messages.push(reply);
        for call in calls {
            let result = use_tool(&call["function"]["arguments"]);
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": result}));
        }
    }
    Ok("no answer after so many turns".into())
}

/// One turn of the model: its message, put together from the stream's pieces.
fn ask(messages: &[Value]) -> Result<Value, Error> {
    let key = Secret::open("OPENAI_API_KEY")?;
    let request = json!({"model": "scripted-1", "stream": true, "messages": messages}).to_string();
    let answer = http::post("https://llm.example/v1/chat/completions").bearer(&key).json(request).send()?;
    if answer.status() != 200 {
        return Err(Error::Failed(format!("the model answered {}", answer.status())));
    }
    let mut content = String::new();
    let mut calls: Vec<Value> = Vec::new();
    for line in BufReader::new(answer).lines() {
        let line = line.map_err(|error| Error::Failed(error.to_string()))?;
        let Some(event) = line.strip_prefix("data: ").filter(|event| *event != "[DONE]") else { continue };
        let event: Value = serde_json::from_str(event).map_err(|_| Error::NotText)?;
        let delta = &event["choices"][0]["delta"];
        content.push_str(delta["content"].as_str().unwrap_or_default());
        calls.extend(delta["tool_calls"].as_array().cloned().unwrap_or_default());
    }
    Ok(json!({"role": "assistant", "content": content, "tool_calls": calls}))
}

/// Sends whatever request the model asks for, and reports what came of it.
fn use_tool(arguments: &Value) -> String {
    let arguments: Value = arguments.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
    let mut request = http::request(text("method"), text("url")).body(text("body"));
    for (name, value) in arguments["headers"].as_object().into_iter().flatten() {
        request = request.header(name.clone(), value.as_str().unwrap_or_default());
    }
    let what = format!("{} {}", text("method"), text("url"));
    let result = match request.send().and_then(|answer| Ok((answer.status(), answer.text()?))) {
        Ok((status, body)) => format!("{status}: {body}"),
        Err(error) => format!("error: {error}"),
    };
    println!("tool: {what} -> {}", result.lines().next().unwrap_or_default());
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_guest::testing::MockHost;

    #[test]
    fn the_loop_ends_with_the_models_answer() {
        let call = r#"{"choices":[{"delta":{"tool_calls":[{"id":"1","function":{"name":"http_request","arguments":"{\"method\":\"GET\",\"url\":\"https://news.example/\"}"}}]}}]}"#;
        let say = r#"{"choices":[{"delta":{"content":"All quiet."}}]}"#;
        let llm = "https://llm.example/v1/chat/completions";
        let mock = MockHost::new()
            .secret("OPENAI_API_KEY")
            .answer("POST", llm, 200, format!("data: {call}\n\ndata: [DONE]\n\n"))
            .answer("GET", "https://news.example/", 200, "nothing happened")
            .answer("POST", llm, 200, format!("data: {say}\n\ndata: [DONE]\n\n"));

        assert_eq!(mock.enter(|| work("news?")), Ok("All quiet.".into()));
        assert_eq!(mock.requests().len(), 3);
    }
}
