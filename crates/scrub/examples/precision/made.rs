//! Texts that no package has: manifests of Kubernetes, spans, notebooks, logs, lock files and transcripts of agents. They hold what such
//! texts are full of (hashes, ids, signatures, pages' tokens), and no secret. They are the same whenever they are made.

use serde_json::json;
use std::fmt::Write as _;

/// Bytes of each kind, roughly.
const EACH: usize = 700_000;

/// What writes a piece of a text.
type Write = fn(&mut Random) -> String;

/// Each kind and its text. Transcripts show files of the packages.
pub(crate) fn all(files: &[&[u8]]) -> Vec<(&'static str, String)> {
    let kinds: [(&str, Write); 5] =
        [("Kubernetes manifests", manifest), ("OTLP in JSON", spans), ("Jupyter notebooks", notebook), ("logs", log), ("lock files", lock)];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut made: Vec<_> = kinds
        .into_iter()
        .map(|(kind, write)| {
            let mut text = String::new();
            while text.len() < EACH {
                text += &write(&mut random);
            }
            (kind, text)
        })
        .collect();
    made.push(("transcripts", transcripts(&mut random, files)));
    made
}

/// Numbers that look random and are always the same (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        (0..length).map(|_| char::from(alphabet.as_bytes()[self.below(alphabet.len())])).collect()
    }

    fn hex(&mut self, length: usize) -> String {
        self.of("0123456789abcdef", length)
    }

    fn base62(&mut self, length: usize) -> String {
        self.of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", length)
    }

    fn base64(&mut self, length: usize) -> String {
        self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length)
    }

    fn uuid(&mut self) -> String {
        format!("{}-{}-4{}-a{}-{}", self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12))
    }

    fn word(&mut self) -> &'static str {
        const WORDS: &[&str] = &[
            "ledger", "checkout", "cache", "frontend", "search", "index", "payment", "orders", "gateway", "worker", "billing", "metrics",
            "session", "token", "auth", "secret", "key", "vault", "catalog", "stream",
        ];
        WORDS[self.below(WORDS.len())]
    }
}

/// A Deployment, a ConfigMap and a webhook, as `kubectl get -o yaml` prints them.
fn manifest(random: &mut Random) -> String {
    let (name, image, digest) = (format!("{}-{}", random.word(), random.word()), random.word(), random.hex(64));
    let applied = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "uid": random.uuid()}, "spec": {"template": {"spec": {
        "containers": [{"name": image, "env": [{"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": format!("{name}-secret"), "key": "api-key"}}}]}]}}}});
    let pod = format!("{name}-{}-{}", random.of("bcdfghjklmnpqrstvwxz2456789", 10), random.of("bcdfghjklmnpqrstvwxz2456789", 5));
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {applied}\n    \
         checksum/secret: {}\n  name: {name}\n  resourceVersion: \"{}\"\n  uid: {}\nspec:\n  template:\n    spec:\n      imagePullSecrets:\n      - name: {name}-registry\n      \
         containers:\n      - image: registry.example.com/{image}@sha256:{digest}\n        env:\n        - name: DATABASE_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              \
         name: {name}-secret\n              key: database-password\n        - name: POD_NAME\n          value: {pod}\n        - name: GIT_COMMIT\n          value: {}\n        - name: TOKEN_URL\n          \
         value: https://auth.example.com/oauth/token\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  uid: {}\nbinaryData:\n  logo.png: {}\ndata:\n  cache-key: {name}-v{}\n  \
         public-key: {}\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nwebhooks:\n- clientConfig:\n    caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t{}\n---\n",
        random.hex(64),
        random.below(1 << 30),
        random.uuid(),
        random.hex(40),
        random.uuid(),
        random.base64(200),
        random.below(100),
        random.base64(44),
        random.base64(400),
    )
}

/// A request of OTLP over HTTP.
fn spans(random: &mut Random) -> String {
    let attribute = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
    let span = json!({
        "traceId": random.hex(32), "spanId": random.hex(16), "parentSpanId": random.hex(16), "name": format!("{}.{}", random.word(), random.word()), "kind": 2,
        "startTimeUnixNano": (1_700_000_000_000_000_000u64 + random.next() % 1_000_000_000_000).to_string(),
        "attributes": [
            attribute("http.request.header.x-request-id", random.uuid()),
            attribute("session.id", random.uuid()),
            attribute("gen_ai.response.id", format!("chatcmpl-{}", random.base62(29))),
            attribute("gen_ai.tool.call.id", format!("call_{}", random.base62(24))),
            attribute("messaging.kafka.message.key", random.uuid()),
            attribute("aws.request_id", random.uuid()),
            attribute("cache.key", format!("page:{}", random.hex(40))),
            attribute("db.statement", "SELECT token, secret_key FROM api_keys WHERE user_id = $1".to_owned()),
            attribute("enduser.pseudo.id", random.hex(64)),
        ],
        "links": [{"traceId": random.base64(22) + "==", "spanId": random.base64(11) + "="}],
    });
    let resource = json!({"attributes": [attribute("service.instance.id", random.uuid()), attribute("container.id", random.hex(64)),
        attribute("container.image.id", format!("sha256:{}", random.hex(64))), attribute("k8s.pod.uid", random.uuid())]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).to_string() + "\n"
}

/// A notebook with a picture.
fn notebook(random: &mut Random) -> String {
    let cells = json!({"cells": [
        {"cell_type": "code", "execution_count": 1, "id": random.hex(8), "metadata": {"colab": {"base_uri": "https://localhost:8080/", "referenced_widgets": [random.hex(32), random.hex(32)]}},
            "source": ["tokens = tokenizer(text)\n", "api_key = os.environ[\"API_KEY\"]\n", "model.push_to_hub(token=True)\n"],
            "outputs": [{"name": "stdout", "output_type": "stream", "text": [format!("run {} finished, checkpoint {}\n", random.base62(8), random.hex(40)), "Token has not been saved to git credential helper.\n"]}]},
        {"cell_type": "code", "execution_count": 2, "id": random.uuid(), "metadata": {"execution": {"iopub.execute_input": "2025-11-02T10:11:12.123456Z"}}, "source": ["df.head()"],
            "outputs": [{"data": {"image/png": format!("iVBORw0KGgo{}", random.base64(3000)), "text/plain": [format!("<Figure size 640x480 with {} Axes>", random.below(9))]}, "output_type": "display_data"}]},
    ], "metadata": {"kernelspec": {"name": "python3"}, "widgets": {random.hex(32): {"model_module": "@jupyter-widgets/controls", "state": {"layout": format!("IPY_MODEL_{}", random.hex(32))}}}}, "nbformat": 4, "nbformat_minor": 5});
    serde_json::to_string_pretty(&cells).unwrap_or_default() + "\n"
}

/// Some lines of logs of servers, builds and clouds.
fn log(random: &mut Random) -> String {
    let mut out = String::new();
    let ip = format!("10.{}.{}.{}", random.below(256), random.below(256), random.below(256));
    let _ = writeln!(
        out,
        "{ip} - - [02/Nov/2025:10:11:12 +0000] \"GET /v1/{}?cursor={}&page_token={} HTTP/2.0\" 200 {} \"-\" \"Mozilla/5.0\" {}",
        random.word(),
        random.base62(32),
        random.base62(40),
        random.below(9999),
        random.hex(32)
    );
    let _ = writeln!(
        out,
        "{}",
        json!({"level": "info", "ts": "2025-11-02T10:11:12Z", "msg": "request completed", "request_id": random.uuid(), "x-amzn-trace-id": format!("Root=1-{}-{}", random.hex(8), random.hex(24)), "etag": format!("W/\"{}\"", random.base64(27)), "cache_key": random.hex(64), "idempotency_key": random.uuid(), "user_id": format!("user_{}", random.base62(24)), "kid": random.base64(27), "tokens": random.below(4096), "next_token": random.base64(60)})
    );
    let _ = writeln!(
        out,
        "2025-11-02T10:11:12.345Z INFO  [{}] token refreshed for session {} (expires in 3600s)",
        random.word(),
        random.uuid()
    );
    let _ = writeln!(out, "2025-11-02T10:11:13.001Z DEBUG auth: verified key {} fingerprint SHA256:{}", random.hex(16), random.base64(43));
    let _ =
        writeln!(out, "Accepted publickey for deploy from {ip} port {} ssh2: ED25519 SHA256:{}", random.below(65536), random.base64(43));
    let _ = writeln!(out, "#12 sha256:{} 3.62MB / 3.62MB 0.4s done", random.hex(64));
    let _ = writeln!(out, "Cache restored from key: node-cache-Linux-x64-npm-{}", random.hex(64));
    let _ = writeln!(out, "##[group]Run actions/checkout@{}\n  token: ***\n  ssh-strict: true", random.hex(40));
    let _ = writeln!(out, "Successfully tagged registry.example.com/{}:{}", random.word(), random.hex(12));
    let _ = writeln!(out, "-----BEGIN CERTIFICATE-----\n{}\n{}\n-----END CERTIFICATE-----", random.base64(64), random.base64(64));
    let _ = writeln!(out, "Set-Cookie: XSRF-TOKEN={}; Path=/; SameSite=Lax", random.base62(40));
    let _ = writeln!(out, "https://bucket.s3.example.com/{}/{}.png?versionId={}", random.word(), random.uuid(), random.base62(32));
    out
}

/// Entries of lock files: npm's, Yarn's, pnpm's, Cargo's, Poetry's, Go's.
fn lock(random: &mut Random) -> String {
    let (name, hash, digest) = (format!("{}-{}", random.word(), random.word()), random.base64(86), random.hex(64));
    format!(
        "    \"node_modules/{name}\": {{\n      \"version\": \"1.{a}.0\",\n      \"resolved\": \"https://registry.npmjs.org/{name}/-/{name}-1.{a}.0.tgz\",\n      \"integrity\": \"sha512-{hash}==\"\n    }},\n\
         \"{name}@^1.{a}.0\":\n  version \"1.{a}.0\"\n  resolved \"https://registry.yarnpkg.com/{name}/-/{name}-1.{a}.0.tgz#{}\"\n  integrity sha512-{hash}==\n\n\
         /{name}/1.{a}.0:\n    resolution: {{integrity: sha512-{hash}==}}\n    dev: true\n\n[[package]]\nname = \"{name}\"\nversion = \"1.{a}.0\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{digest}\"\n\n[[package]]\nname = \"{name}\"\nfiles = [\n    \
         {{file = \"{name}-1.{a}.0.tar.gz\", hash = \"sha256:{digest}\"}},\n]\n\nexample.com/{name} v1.{a}.0 h1:{}=\nexample.com/{name} v1.{a}.0/go.mod h1:{}=\n\n",
        random.hex(40),
        random.base64(43),
        random.base64(43),
        a = random.below(40),
    )
}

/// What agents are told of their tools: calls and results, with files in JSON, and in JSON once more.
fn transcripts(random: &mut Random, files: &[&[u8]]) -> String {
    let mut out = String::new();
    for file in files.iter().filter(|file| (200..20_000).contains(&file.len())).step_by(files.len().div_ceil(400)) {
        let (text, id) = (String::from_utf8_lossy(file), format!("toolu_01{}", random.base62(22)));
        let call = json!({"id": format!("msg_01{}", random.base62(22)), "role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "read_file",
            "input": {"path": format!("src/{}/{}.ts", random.word(), random.word())}}], "usage": {"input_tokens": random.below(9999), "cache_read_input_tokens": random.below(9999)}});
        let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]});
        let call_id = format!("call_{}", random.base62(24));
        let inner = json!({"status": 200, "headers": {"x-request-id": random.uuid(), "cf-ray": format!("{}-FRA", random.hex(16))}, "body": json!({"text": text.chars().take(2000).collect::<String>(), "nextPageToken": random.base64(80)}).to_string()});
        let function = json!({"type": "function_call_output", "call_id": call_id, "output": inner.to_string(), "encrypted_content": format!("gAAAAAB{}==", random.base64(200))});
        let thought = json!({"type": "thinking", "thinking": "I look for the key that the cache is read by.", "signature": random.base64(240) + "=="});
        let _ = writeln!(out, "{call}\n{thought}\n{result}\n{function}");
    }
    out
}
