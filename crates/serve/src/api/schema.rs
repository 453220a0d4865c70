//! The records as the API's description has them. What is answered is made elsewhere, by the types
//! that own it; a test reads that with these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::FieldProblem;

/// Where an onboarding stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Blocked,
    Cancelled,
}

/// Which way calls go.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    Outbound,
    Inbound,
    Both,
}

/// How Exotel routes a number.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Pstn,
    Flow,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepName {
    CreateTrunk,
    MapNumber,
    WhitelistIp,
    CreateCredentials,
    MapDestination,
    SetCallerId,
    Verify,
}

/// How far a step is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepState {
    Pending,
    Unknown,
    Done,
    Failed,
}

/// One signup: an account, a partner, a number, and what the partner's recipe asks for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "account": "acme", "partner": "livekit", "number": "+918000000001", "key": "crm-4711",
    "inputs": {"livekit_sip_subdomain": "bwwn08a2m4o"}
}))]
pub(crate) struct Signup {
    /// An account of the accounts file.
    #[schema(pattern = "^[A-Za-z0-9_.-]{1,64}$")]
    account: String,
    /// A recipe; `GET /v1/recipes` lists them.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,31}$")]
    partner: String,
    /// E.164, a number of the account.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    number: String,
    /// Two signups with the same key are one onboarding. Without one it is account/partner/number.
    #[schema(min_length = 1, max_length = 200)]
    key: Option<String>,
    /// Default: the recipe's.
    direction: Option<Direction>,
    /// Default: the recipe's.
    mode: Option<Mode>,
    /// Default: derived from the key.
    #[schema(pattern = "^[A-Za-z0-9_]{1,16}$")]
    trunk_name: Option<String>,
    /// Default: derived from the key.
    #[schema(pattern = "^[A-Za-z0-9_]{1,32}$")]
    user_name: Option<String>,
    /// The number that called people see.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    caller_id: Option<String>,
    /// What the recipe asks for, by name.
    inputs: Option<BTreeMap<String, InputValue>>,
}

/// What a signup gives for an input.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum InputValue {
    /// One text.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// As if it were left out.
    Nothing,
}

/// One signup, or a list of them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Signups {
    /// One.
    One(Signup),
    /// Up to a thousand: all of them are accepted, or none.
    Many(SignupList),
}

/// Up to a thousand signups.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(min_items = 1, max_items = 1000)]
pub(crate) struct SignupList(Vec<Signup>);

/// What was accepted. It is durable.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Enqueued {
    /// Always `enqueued`.
    #[schema(pattern = "^enqueued$")]
    r#type: String,
    /// New onboardings.
    accepted: u64,
    /// Signups that were there before, with the same content.
    duplicates: u64,
    /// Both together.
    total: u64,
    /// The onboarding of each signup, in the order in which they were sent.
    onboardings: Vec<EnqueuedOne>,
    /// Accepted signups that will fail unless something is done about it: their number is another
    /// onboarding's, which is named.
    #[schema(required = false)]
    #[serde(default)]
    warnings: Vec<FieldProblem>,
}

/// The onboarding of a signup.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EnqueuedOne {
    #[schema(example = "onb_3qkdb0q3t6w1zc0c5y2r8mv9x4")]
    id: String,
    #[schema(example = "crm-4711")]
    key: String,
}

/// How it is tried again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// Whether credentials that are in use with a password that this store does not have are replaced.
    #[serde(default)]
    replace_credentials: bool,
}

/// One onboarding.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Onboarding {
    /// Always `onboarding`.
    #[schema(pattern = "^onboarding$")]
    r#type: String,
    #[schema(pattern = "^onb_[0-9a-z]{26}$")]
    id: String,
    key: String,
    account: String,
    partner: String,
    number: String,
    direction: Direction,
    state: State,
    /// In the order in which they are done.
    steps: Vec<Step>,
    /// What a person has to know, if anything.
    #[schema(required = true)]
    error: Option<OnboardingError>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// One step.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Step {
    name: StepName,
    state: StepState,
    /// How often it was sent.
    attempts: u32,
    /// What it left at Exotel: `trunk_sid`, `id`, `value` or `verified`.
    #[schema(required = true, value_type = Option<Object>)]
    result: Option<serde_json::Map<String, serde_json::Value>>,
    /// Its last error.
    #[schema(required = true)]
    error: Option<StepError>,
    /// Where its outcome is not known: until when an earlier request may still be processed.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    settles_at: Option<String>,
}

/// The last error of a step.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StepError {
    code: String,
    message: String,
}

/// What a person has to know of an onboarding.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OnboardingError {
    #[schema(example = "duplicate_number")]
    code: String,
    message: String,
    /// The step that it is of.
    #[schema(required = true)]
    step: Option<StepName>,
}

/// A page of onboardings, in the order in which they were accepted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OnboardingPage {
    #[schema(max_items = 200)]
    items: Vec<Onboarding>,
    /// The cursor of the next page; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// What the partner's side needs, and what a person still has to click.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Handoff {
    /// Always `handoff`.
    #[schema(pattern = "^handoff$")]
    r#type: String,
    id: String,
    key: String,
    account: String,
    partner: String,
    number: String,
    direction: Direction,
    state: State,
    trunk: HandoffTrunk,
    #[schema(required = true)]
    number_id: Option<String>,
    #[schema(required = true)]
    mode: Option<Mode>,
    #[schema(required = true)]
    dial_whom: Option<String>,
    #[schema(required = true)]
    edge: Option<Edge>,
    #[schema(required = true)]
    credentials: Option<Credentials>,
    whitelisted_ips: Vec<WhitelistedIp>,
    #[schema(required = true)]
    destination: Option<HandoffDestination>,
    #[schema(required = true)]
    caller_id: Option<String>,
    /// What goes into the partner's form or API, by the partner's own field names.
    partner_settings: serde_json::Map<String, serde_json::Value>,
    todo: Vec<Todo>,
}

/// The trunk of a handoff.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct HandoffTrunk {
    #[schema(required = true)]
    sid: Option<String>,
    #[schema(required = true)]
    name: Option<String>,
    domain: String,
}

/// Where the partner's side sends its SIP.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Edge {
    host: String,
    port: u16,
    transport: String,
}

/// Digest credentials. The password is masked unless secrets are asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Credentials {
    #[schema(required = true)]
    id: Option<String>,
    user_name: String,
    #[schema(required = true, example = "********")]
    password: Option<String>,
}

/// An address on the trunk's ACL.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct WhitelistedIp {
    #[schema(required = true)]
    id: Option<String>,
    ip: String,
}

/// Where Exotel sends inbound calls.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct HandoffDestination {
    #[schema(required = true)]
    id: Option<String>,
    uri: String,
}

/// Something for a person to do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Todo {
    title: String,
    detail: String,
    #[schema(required = true)]
    url: Option<String>,
}

/// What came of a cancel.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CancelSoon {
    /// Always `cancelling`.
    #[schema(pattern = "^cancelling$")]
    r#type: String,
    id: String,
}

/// One account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Account {
    /// Always `account`.
    #[schema(pattern = "^account$")]
    r#type: String,
    name: String,
    #[schema(required = true)]
    account_sid: Option<String>,
    #[schema(required = true)]
    base_url: Option<String>,
    #[schema(required = true)]
    edge: Option<Edge>,
    #[schema(required = true)]
    limits: Option<AccountLimits>,
    /// Nothing is sent until it is resumed, by a person or by a probe.
    #[schema(required = true)]
    parked: Option<AccountStopped>,
    /// Nothing is sent until then: Exotel answered 429.
    #[schema(required = true, format = DateTime)]
    closed_until: Option<String>,
    /// Nothing is sent until Exotel answers again.
    #[schema(required = true)]
    outage: Option<AccountStopped>,
    /// When a parked account, or Exotel, is tried again; never, if there is no time.
    #[schema(required = true, format = DateTime)]
    next_probe_at: Option<String>,
    /// Why a worker that runs cannot serve it.
    #[schema(required = true)]
    unusable: Option<String>,
    /// Onboardings in its line.
    waiting: u64,
    /// Onboardings that a worker holds.
    running: u64,
    /// Requests of the last minute and in flight.
    permits_out: u32,
    /// When the next request may be sent, if not now; an estimate.
    #[schema(required = true, format = DateTime)]
    next_permit_at: Option<String>,
    /// Since when the first in its line waits.
    #[schema(required = true, format = DateTime)]
    oldest_waiting_at: Option<String>,
}

/// What an account may do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccountLimits {
    requests_per_minute: u32,
    #[schema(required = true)]
    connections: Option<u32>,
}

/// Why and since when nothing is sent to an account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccountStopped {
    reason: String,
    #[schema(format = DateTime)]
    since: String,
}

/// All accounts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccountList {
    items: Vec<Account>,
    /// Workers that run; with none of them nothing goes on.
    workers_running: u64,
    /// When a worker was last heard of.
    #[schema(required = true, format = DateTime)]
    worker_heard_at: Option<String>,
}

/// What came of letting an account go on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Resumed {
    /// Always `resumed`.
    #[schema(pattern = "^resumed$")]
    r#type: String,
    account: String,
    was_parked: bool,
    /// By a 429, or because Exotel did not answer.
    was_closed: bool,
}

/// How far a batch is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Batch {
    /// Always `batch`.
    #[schema(pattern = "^batch$")]
    r#type: String,
    number: u64,
    /// Where it came from.
    source: String,
    #[schema(format = DateTime)]
    created_at: String,
    accepted: u64,
    duplicates: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    open: u64,
    /// How many end in a minute.
    per_minute: f64,
    /// How long it takes at that pace.
    #[schema(required = true)]
    left_seconds: Option<u64>,
}

/// A page of batches, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BatchPage {
    items: Vec<Batch>,
    /// The cursor of the next page; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// A recipe: what a partner needs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Recipe {
    /// Always `recipe`.
    #[schema(pattern = "^recipe$")]
    r#type: String,
    name: String,
    title: String,
    #[schema(required = true)]
    docs: Option<String>,
    directions: Vec<Direction>,
    default_direction: Direction,
    inputs: Vec<RecipeInput>,
}

/// What a recipe asks of each signup.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RecipeInput {
    name: String,
    required: bool,
    description: String,
}

/// All recipes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RecipeList {
    items: Vec<Recipe>,
}

/// Where a delivery stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    Waiting,
    Delivered,
    GivenUp,
}

/// A webhook that was sent, or is to be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Delivery {
    /// Always `delivery`.
    #[schema(pattern = "^delivery$")]
    r#type: String,
    #[schema(pattern = "^msg_[0-9a-f]{32}$")]
    id: String,
    endpoint: String,
    #[schema(example = "onboarding.succeeded")]
    event: String,
    /// The onboarding that it is about; null where it is about a refused message.
    #[schema(required = true)]
    onboarding: Option<String>,
    state: DeliveryState,
    attempts: u32,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it is tried next.
    #[schema(required = true, format = DateTime)]
    next_at: Option<String>,
    /// What came of the last attempt.
    #[schema(required = true)]
    last: Option<DeliveryAttempt>,
}

/// What came of an attempt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeliveryAttempt {
    #[schema(format = DateTime)]
    at: String,
    #[schema(required = true)]
    status: Option<u16>,
    #[schema(required = true)]
    error: Option<String>,
    duration_ms: u64,
}

/// A page of deliveries, the newest first. It may be short, or empty, and have a next one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeliveryPage {
    items: Vec<Delivery>,
    /// The cursor of the next page; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// A delivery is due again, now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Resent {
    /// Always `resent`.
    #[schema(pattern = "^resent$")]
    r#type: String,
    id: String,
}

/// What came of a webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Received {
    /// `enqueued`, `duplicate` (the message was taken before) or `ignored`.
    #[schema(pattern = "^(enqueued|duplicate|ignored)$")]
    r#type: String,
    /// The onboarding of each signup.
    #[serde(default)]
    #[schema(required = false)]
    onboardings: Vec<EnqueuedOne>,
    /// Why it was ignored.
    #[serde(default)]
    reason: Option<String>,
}

/// An authentic webhook that was refused for its content. Its signups were not accepted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Refused {
    /// Always `refused`.
    #[schema(pattern = "^refused$")]
    r#type: String,
    #[schema(pattern = "^ref_[0-9a-f]{32}$")]
    id: String,
    /// The sender's name in the settings.
    sender: String,
    /// Its `webhook-id`.
    message: String,
    /// The status that its last attempt was answered with.
    #[schema(minimum = 400, maximum = 499, example = 422)]
    status: u16,
    /// What was wrong with it then: the first twenty problems.
    problems: Vec<FieldProblem>,
    /// How often it came.
    attempts: u32,
    #[schema(format = DateTime)]
    first_at: String,
    #[schema(format = DateTime)]
    last_at: String,
}

/// A page of refused messages, the newest first. It may be short, or empty, and have a next one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RefusedPage {
    items: Vec<Refused>,
    /// The cursor of the next page; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// How the server is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: String,
}
