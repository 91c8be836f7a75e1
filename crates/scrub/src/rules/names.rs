//! What a field's name says of its value: whether it is to be kept secret, or is public whatever it looks like.

use smallvec::SmallVec;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

/// How much a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// People choose it: it need not be random.
    Password,
    /// A secret, a token, or a key that is said to be for an API, private, or the like.
    Secret,
    /// Nothing but `token`, which assets have, too.
    Token,
    /// A key of something: of a service, perhaps.
    Named,
    /// The name of what issues keys and no more, or a login of it.
    Vendor,
    /// Something that may be a secret: a mere key, `auth`, `pass`.
    Key,
    /// A session, which is one in a cookie.
    Session,
}

/// Endings of names that a value is looked at under, in small letters.
static ENDINGS: List = List::of(
    "\
    key,keys,token,tokens,secret,secrets,password,passwd,passphrase,passcode,pwd,pass,pat,cred,creds,credential,credentials,auth,\
    authorization,psw,psk,pepper,seed,bearer,jwt,session,sess,sid,sessid,sessionid",
);
/// What may stand behind them.
static BEHIND: Set = Set::of(
    "\
    value,val,hex,base64,b64,str,string,raw,plain,plaintext,prod,production,live,test,dev,staging,stage,default,new,old,current,\
    env,base,main,secondary,backup,data,bytes",
);
static PASSWORDS: List = List::of(
    "\
    password,passwd,passphrase,passcode,pwd,psw,passwort,senha,contrasena,motdepasse,storepass,keypass,dbpass,userpass,rootpass,\
    adminpass,bindpass,smtppass,mailpass,sshpass,psk,pepper",
);
static SECRETS: List = List::of(
    "\
    secret,secrets,token,tokens,credential,credentials,creds,bearer,apikey,apikeys,accesskey,secretkey,privatekey,authkey",
);
static KEYS: List = List::of(
    "\
    key,keys,auth,pass,pat,cred,seed",
);
static SESSIONS: List = List::of(
    "\
    session,sess,sid,sessid,sessionid,jwt",
);
/// What issues keys: a key or a login by such a name is one to be kept.
static VENDORS: Set = Set::of(
    "\
    adafruit,adobe,airbrake,airtable,algolia,alibaba,amplitude,anthropic,apify,asana,atlassian,auth0,aws,azure,beamer,binance,\
    bitbucket,bitfinex,bitly,bittrex,blockfrost,brevo,browserstack,bugsnag,buildkite,bybit,checkout,circleci,clickhouse,clickup,\
    clojars,cloudflare,cloudinary,cloudsmith,codecov,cohere,coinbase,confluent,contentful,coveralls,databricks,datadog,datagov,\
    deepgram,deepl,deepseek,digitalocean,discord,disqus,dockerhub,doppler,droneci,dropbox,dynatrace,easypost,elastic,elevenlabs,\
    etherscan,etsy,eventbrite,facebook,fastly,figma,finicity,finnhub,flickr,flutterwave,flyio,freshbooks,freshdesk,gemini,ghost,\
    gitea,github,gitlab,gitter,gocardless,grafana,groq,gumroad,harness,heroku,honeycomb,hubspot,huggingface,infracost,infura,\
    intercom,ipinfo,ipstack,jenkins,jfrog,jira,klaviyo,kraken,kucoin,langsmith,launchdarkly,line,linear,linkedin,linode,lob,\
    looker,mailchimp,mailersend,mailgun,mailjet,mandrill,mapbox,mattermost,maxmind,messagebird,mistral,mixpanel,mongodb,mux,\
    netlify,newrelic,nightfall,notion,npm,nuget,nvidia,nytimes,okta,onesignal,openai,openrouter,openweather,openweathermap,\
    opsgenie,optimizely,pagerduty,paypal,paystack,percy,pinecone,pipedrive,plaid,planetscale,plivo,posthog,postman,postmark,\
    prefect,pubnub,pulumi,pushover,pypi,rapidapi,razorpay,readme,replicate,rollbar,rubygems,runpod,salesforce,sauce,saucelabs,\
    scalingo,segment,sendbird,sendgrid,sendinblue,sentry,shippo,shodan,shopify,sidekiq,slack,snyk,sonar,sonarqube,sourcegraph,\
    splunk,spotify,square,squarespace,stripe,sumologic,supabase,tableau,telegram,tencent,tomtom,travis,travisci,trello,twilio,\
    twitch,twitter,typeform,vercel,virustotal,vonage,vultr,wakatime,weatherapi,weatherstack,webex,wistia,workato,workos,yandex,\
    zapier,zendesk,zoho,zoom,\
    ably,aiven,akamai,ai21,alpaca,appcenter,applitools,argocd,assemblyai,baidu,baseten,bitrise,braze,browserless,cerebras,\
    chargebee,codacy,codemagic,coinapi,convertkit,cypress,daytona,directus,eleven,flagsmith,fivetran,gitguardian,healthchecks,\
    helicone,hetzner,hightouch,imagekit,intigriti,iterable,keycloak,lambdatest,langfuse,lokalise,mailtrap,moralis,motherduck,\
    ngrok,northflank,novu,ntfy,nylas,perplexity,pinata,portkey,prismic,qdrant,rapid7,redislabs,retool,roboflow,rudderstack,\
    sanity,scaleway,scalr,servicenow,smartsheet,snowflake,storyblok,strapi,sumsub,swiftype,tailscale,tavily,tenable,tenderly,\
    testrail,thirdweb,tiktok,tinybird,turso,unleash,upstash,vapi,weaviate,webflow,woocommerce,xendit",
);
/// What makes a key one to be kept.
static KEPT: Set = Set::of(
    "\
    api,access,secret,private,priv,auth,master,admin,encryption,encrypt,crypto,cipher,aes,hmac,signing,sign,signature,license,\
    licence,webhook,shared,subscription,deploy,personal,root,server,service,account,application,app,bearer,session,wallet,\
    consumer,merchant,ssh,rsa,security,authentication,ingest,ingestion,write,management,integration,org,organization,developer,\
    rest,function,host,storage,live,test,jwt,oauth",
);
/// What makes it public, or no secret, whatever else the name says: at the beginning of any word.
static PUBLIC: List = List::of(
    "\
    public,publish,idempot,fingerprint,thumbprint,checksum,digest,integrity,encrypted,hashed,masked,redacted,sealed,csrf,xsrf,dedup,\
    idemp,placeholder,example,dummy,sample,invalid",
);
/// The same, as a whole word.
static PUBLIC_WORDS: Set = Set::of(
    "\
    pub,anon,anonymous,hash,sha,sha1,sha256,sha512,md5",
);
/// What has keys and tokens that are no secrets, but may have passwords and private keys, too: at the beginning of any word.
static OF_THINGS: List = List::of(
    "\
    cache,partition,primary,foreign,translation,continu,cursor,pagination,verif,recaptcha,hcaptcha,turnstile,cancel,localiz,keyboard,\
    shortcut,binding,hotkey,monkey,turkey,donkey,authoriz",
);
/// The same, as a whole word.
static OF_THINGS_WORDS: Set = Set::of(
    "\
    site,sort,file,row,column,page,map,index,group,lookup,object,sync,registry,field,prop,property,attribute,attr,label,lock,item,\
    node,react,message,msg,i18n,locale,unique,natural,surrogate,composite,range,bucket,image,asset,path,no,not,without,get,has,is,\
    id,ids,type,types,kid,mint,contract,erc20,erc721,nft,pair,event,trace,span,count,max,min,limit,length,size,resume,upload,\
    snapshot,revision,etag,stream,author,authors",
);

/// What has keys that are names, and no secrets.
static THINGS: Set = Set::of(
    "\
    link,links,photo,video,thumb,thumbnail,media,content,doc,document,record,entity,product,order,invoice,payment,customer,user,\
    member,team,project,issue,ticket,blob,chunk,layer,manifest,artifact,build,module,template,theme,style,color,feature,flag,\
    experiment,metric,series,dimension,tag,query,route,view,tab,menu,nav,slot,component,element,option,parent,child,source,\
    target,dest,destination,origin,ref,state,action,step,task,job,queue,topic,channel,room,thread,batch,shard,tenant,region,zone,\
    entry,data,store,redux,translation,text,title,name,category,filter,search,group,chart,cell,table,collection,model,schema,\
    version,release,package,dependency,import,export,chain,block,transaction,order,trade,market,symbol,currency,position,reset",
);

/// Of what a token is no secret: a page of a list, a request that may be sent twice, an answer, a device, a form.
static NO_TOKENS: Set = Set::of(
    "\
    next,prev,previous,skip,delta,client,request,reply,device,registration,authenticity,form",
);

/// What a login of a service is called.
static LOGINS: List = List::of(
    "\
    login,private,access,api",
);

/// Words with commas between, one by one.
type List = Lazy<Vec<&'static [u8]>>;
/// The same, to look words up in.
type Set = Lazy<HashSet<&'static [u8]>>;

/// What is made of a row of words when it is first needed.
struct Lazy<T> {
    words: &'static str,
    made: OnceLock<T>,
}

impl<T: FromIterator<&'static [u8]>> Lazy<T> {
    const fn of(words: &'static str) -> Self {
        Self { words, made: OnceLock::new() }
    }

    fn get(&self) -> &T {
        self.made.get_or_init(|| self.words.split(',').map(str::as_bytes).collect())
    }
}

/// The endings of names that are looked at.
pub(super) fn endings() -> impl Iterator<Item = &'static str> {
    [ENDINGS.words, BEHIND.words, VENDORS.words, LOGINS.words].into_iter().flat_map(|words| words.split(','))
}

/// Whether a name says that its value is public.
pub(super) fn is_public(name: &[u8]) -> bool {
    let lower: SmallVec<[u8; 128]> = name.iter().map(u8::to_ascii_lowercase).collect();
    words(name).any(|word| is_public_word(&lower[word]))
}

fn is_public_word(word: &[u8]) -> bool {
    PUBLIC_WORDS.get().contains(word) || PUBLIC.get().iter().any(|public| word.starts_with(public))
}

/// Whether a word is that of a thing whose keys and tokens are no secrets.
fn is_of_thing(word: &[u8]) -> bool {
    OF_THINGS_WORDS.get().contains(word) || OF_THINGS.get().iter().any(|thing| word.starts_with(thing))
}

/// Whether a word says that something is to be kept, whatever it belongs to.
fn is_guarded(word: &[u8]) -> bool {
    let holds = |part: &[u8]| word.windows(part.len()).any(|window| window == part);
    word == b"priv" || holds(b"secret") || holds(b"private") || word.starts_with(b"auth") && !word.starts_with(b"author")
}

/// Whether a name says no more than that its value is a token: its last word does, and none that it is to be kept.
pub(super) fn is_mere_token(name: &[u8]) -> bool {
    let lower: SmallVec<[u8; 128]> = name.iter().map(u8::to_ascii_lowercase).collect();
    let words: SmallVec<[&[u8]; 12]> = words(name).map(|word| &lower[word]).collect();
    let is_kept = |word: &[u8]| KEPT.get().contains(word) || is_vendor(word) || is_guarded(word);
    words.split_last().is_some_and(|(last, before)| *last == b"token" && !before.iter().any(|word| is_kept(word)))
}

/// What a name says, or `None` where it is no secret's.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    let lower: SmallVec<[u8; 128]> = name.iter().map(u8::to_ascii_lowercase).collect();
    let mut words: SmallVec<[&[u8]; 12]> = words(name).map(|word| &lower[word]).collect();
    // The header of HTTP (RFC 9110 11.6.2), which holds nothing else.
    if words.last() == Some(&&b"authorization"[..]) {
        return Some(Kind::Secret);
    }
    // Parameters of signed URLs: a key's id with its scope, and what the key itself never stands in.
    if matches!(words[..], [b"x", b"amz" | b"goog", ..]) {
        return None;
    }
    // `ASP.NET_SessionId`, and not `session.id`, which is what a trace calls it.
    if let [.., b"session", b"id"] = words[..] {
        words.pop();
    }
    let is_behind = |word: &[u8]| word.iter().all(u8::is_ascii_digit) || BEHIND.get().contains(word);
    while words.len() > 1 && is_behind(words[words.len() - 1]) {
        words.pop();
    }
    let (last, before) = words.split_last()?;
    // `apikey1`
    let digits = last.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let last = &last[..last.len() - digits];
    if last.is_empty() || words.iter().any(|word| is_public_word(word)) {
        return None;
    }
    let is_kept = |word: &[u8]| KEPT.get().contains(word) || is_vendor(word);
    if let Some(front) = last.strip_suffix(b"token").or_else(|| last.strip_suffix(b"tokens")) {
        let is_none = |word: &[u8]| NO_TOKENS.get().contains(word);
        // A form of a web page names its own token with no more than this.
        let is_of_form = name == b"_token";
        if is_of_form || is_none(front) || before.iter().any(|word| is_none(word)) && !before.iter().any(|word| is_kept(word)) {
            return None;
        }
    }
    // What a browser is given to subscribe with, and to send reports with.
    if last.ends_with(b"key") && matches!(words[..], [b"application", b"server", _] | [b"applicationserverkey"] | [b"sentry", b"key"]) {
        return None;
    }
    // What stands before the longest ending of a word.
    let said = |endings: &List| endings.get().iter().filter_map(|ending| last.strip_suffix(*ending)).min_by_key(|front| front.len());
    if let Some(front) = said(&PASSWORDS) {
        return (!is_public_word(front)).then_some(Kind::Password);
    }
    let is_guarded = words.iter().any(|word| is_guarded(word));
    if !is_guarded && words.iter().any(|word| is_of_thing(word)) {
        return None;
    }
    if let Some(front) = said(&SECRETS) {
        // `fromToken`, `toToken`: assets that are exchanged.
        let is_bare = matches!(before, [] | [b"from" | b"to"]) && front.is_empty() && last.starts_with(b"token");
        let is_muted = is_public_word(front) || !is_guarded && is_of_thing(front);
        return (!is_muted).then_some(if is_bare { Kind::Token } else { Kind::Secret });
    }
    if said(&SESSIONS).is_some_and(|front| front.is_empty() || before.is_empty()) {
        return Some(Kind::Session);
    }
    let Some(front) = said(&KEYS) else { return login(last, before) };
    // A word such as `compass` or `pattern` ends or begins with one by chance.
    let is_word = front.is_empty() || last.ends_with(b"key") || is_kept(front);
    if !is_word || is_public_word(front) || !is_guarded && is_of_thing(front) {
        return None;
    }
    let ends_kept = || (3..front.len()).any(|length| KEPT.get().contains(&front[front.len() - length..]));
    let kept = is_kept(front) || ends_kept() || before.iter().any(|word| is_kept(word));
    if !kept && (THINGS.get().contains(front) || before.last().is_some_and(|word| THINGS.get().contains(word))) {
        return Some(Kind::Key);
    }
    // A header of HTTP that is nobody's but an API's.
    let kept = kept || words.len() > 1 && words[0] == b"x" && name.contains(&b'-');
    let is_named = front.len() > 2 || before.iter().any(|word| word.len() > 2);
    Some(match (kept, is_named) {
        (true, _) => Kind::Secret,
        (false, true) => Kind::Named,
        (false, false) => Kind::Key,
    })
}

/// What a name says that is what issues keys, with nothing behind it but what a login is called.
fn login(last: &[u8], before: &[&[u8]]) -> Option<Kind> {
    let is_bare = before.is_empty() && VENDORS.get().contains(last);
    let is_joined = || LOGINS.get().iter().any(|login| last.strip_suffix(*login).is_some_and(|front| VENDORS.get().contains(front)));
    let is_login = || LOGINS.get().contains(&last) && before.iter().any(|word| is_vendor(word));
    if is_bare {
        return Some(Kind::Vendor);
    }
    // Whoever issues it: `acmePRIVATE`, `ACME_ACCESS`.
    let is_of_some = || {
        let front = [&b"private"[..], b"access"].iter().find_map(|login| last.strip_suffix(*login));
        front.is_some_and(|front| front.len() > 2 || front.is_empty() && before.last().is_some_and(|word| word.len() > 2))
    };
    (is_joined() || is_login() || is_of_some()).then_some(Kind::Named)
}

/// Whether a word is the name of what issues keys, or begins with it.
fn is_vendor(word: &[u8]) -> bool {
    (3..=word.len()).any(|length| (length == word.len() || length > 4) && VENDORS.get().contains(&word[..length]))
}

/// The words of a name: between signs, and where small letters become capitals.
fn words(name: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_upper = |at: usize| name.get(at).is_some_and(u8::is_ascii_uppercase);
    let is_lower = |at: usize| name.get(at).is_some_and(u8::is_ascii_lowercase);
    let mut at = 0;
    std::iter::from_fn(move || {
        at += name[at..].iter().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
        let start = at;
        while at < name.len() && name[at].is_ascii_alphanumeric() {
            at += 1;
            // `apiKey`, and `APIKey`.
            if is_upper(at) && (!is_upper(at - 1) || is_lower(at + 1)) {
                break;
            }
        }
        (at > start).then_some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_all_their_words() {
        for (name, expected) in [
            ("password", Some(Kind::Password)),
            ("DB_PASSWORD", Some(Kind::Password)),
            ("spring.datasource.password", Some(Kind::Password)),
            ("adminPwd", Some(Kind::Password)),
            ("GITHUB_TOKEN", Some(Kind::Secret)),
            ("accessToken", Some(Kind::Secret)),
            ("token", Some(Kind::Token)),
            ("client-secret", Some(Kind::Secret)),
            ("apikey", Some(Kind::Secret)),
            ("X-API-Key", Some(Kind::Secret)),
            ("APIKey", Some(Kind::Secret)),
            ("api_key_prod", Some(Kind::Secret)),
            ("API_KEY_2", Some(Kind::Secret)),
            ("SECRET_KEY_BASE", Some(Kind::Secret)),
            ("private_key", Some(Kind::Secret)),
            ("openweatherKey", Some(Kind::Secret)),
            ("ledgerKey", Some(Kind::Named)),
            ("API key", Some(Kind::Secret)),
            ("next page token", None),
            ("key", Some(Kind::Key)),
            ("_auth", Some(Kind::Key)),
            ("public_key", None),
            ("publicKey", None),
            ("publickey", None),
            ("pubkey", None),
            ("publishable_key", None),
            ("publicSigningKey", None),
            ("public_api_key", None),
            ("publishableAccessToken", None),
            ("cache_access_key", None),
            ("cacheKey", None),
            ("idempotency_key", None),
            ("nextPageToken", None),
            ("continuationToken", None),
            ("key_id", None),
            ("client_id", None),
            ("tokenizationId", None),
            ("primaryKey", None),
            ("password_hash", None),
            ("hashedPassword", None),
            ("encrypted_token", None),
            ("keyboard", None),
            ("monkey", None),
            ("compass", None),
            ("author", None),
            ("author_key", None),
            ("site_key", None),
            ("SONAR_LOGIN", Some(Kind::Named)),
            ("algolia", Some(Kind::Vendor)),
            ("github_repository", None),
            ("slack_channel", None),
        ] {
            assert_eq!(kind(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn a_thing_mutes_its_keys_and_tokens_but_no_password_and_no_private_key() {
        for (name, is_found) in [
            ("CONTRACT_DEPLOYER_PRIVATE_KEY", true),
            ("NODE_PRIVATE_KEY", true),
            ("MINT_AUTHORITY_PRIVATE_KEY", true),
            ("VERIFIER_PRIVATE_KEY", true),
            ("BUCKET_SECRET_ACCESS_KEY", true),
            ("OBJECT_STORAGE_SECRET_KEY", true),
            ("STREAM_API_SECRET", true),
            ("REACT_APP_SECRET_KEY", true),
            ("CI_REGISTRY_PASSWORD", true),
            ("NODE_AUTH_TOKEN", true),
            ("REDIS_CACHE_PASSWORD", true),
            ("cachePassword", true),
            ("reset_token", true),
            ("recaptcha_secret_key", true),
            ("nodeKey", false),
            ("object_key", false),
            ("stream_token", false),
            ("registryToken", false),
            ("mint_token", false),
            ("eventKey", false),
            ("recaptcha_site_key", false),
            ("publicNodeSecret", false),
            ("encrypted_private_key", false),
            ("hashed_password", false),
            ("masked_secret", false),
            ("csrfSecretToken", false),
        ] {
            assert_eq!(kind(name.as_bytes()).is_some(), is_found, "{name}");
        }
        assert!(!is_public(b"primaryKey") && !is_public(b"NODE_PRIVATE_KEY") && is_public(b"publicKey"));
    }
}
