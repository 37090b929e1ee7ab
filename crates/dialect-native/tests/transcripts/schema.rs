//! A foreign implementation of the schema: it compiles the file and knows none of our code.

use fanfare_testkit::transcripts::{Schema, hex, spec};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

/// The schema's types.
pub(crate) struct Compiled(DescriptorPool);

impl Compiled {
    pub(crate) fn read() -> Self {
        let files = protox::compile(["fanfare.proto"], [spec()]).unwrap();
        Self(DescriptorPool::from_file_descriptor_set(files).unwrap())
    }
}

impl Schema for Compiled {
    fn client_message(&self, json: &Value) -> Vec<u8> {
        let kind = self.0.get_message_by_name("fanfare.native.v1.ClientMessage").unwrap();
        DynamicMessage::deserialize(kind, json)
            .unwrap_or_else(|error| panic!("{json}: {error}"))
            .encode_to_vec()
    }

    fn server_message(&self, bytes: &[u8]) -> Value {
        let kind = self.0.get_message_by_name("fanfare.native.v1.ServerMessage").unwrap();
        let message = DynamicMessage::decode(kind, bytes).unwrap();
        // Maps have no order, so the length is what tells that nothing was left out or unknown.
        assert_eq!(
            message.encode_to_vec().len(),
            bytes.len(),
            "the schema would write {} otherwise",
            hex(bytes)
        );
        let mut json = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut json);
        message.serialize_with_options(&mut serializer, &SerializeOptions::new()).unwrap();
        serde_json::from_slice(&json).unwrap()
    }
}
