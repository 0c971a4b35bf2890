// stdio: takes a JSON object and adds `"tollgate": true` and `"count"`, the number of members it had, at its end.
use serde_json::{Map, Value};
use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut document = Vec::new();
    io::stdin().read_to_end(&mut document)?;
    let mut members: Map<String, Value> = serde_json::from_slice(&document)?;
    let count = members.len();
    members.shift_remove("tollgate");
    members.shift_remove("count");
    members.insert("tollgate".into(), true.into());
    members.insert("count".into(), count.into());
    io::stdout().write_all(&serde_json::to_vec(&members)?)?;
    Ok(())
}
