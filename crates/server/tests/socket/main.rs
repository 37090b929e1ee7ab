//! The server at its socket: bytes that no library would send, and clients that somebody else wrote.
//!
//! - `raw_socket_http`, `raw_socket_frames`, `raw_socket_application`: tables of what goes wrong, each case
//!   with a neighbour in the same room that must not notice
//! - `raw_socket_floods`, `raw_socket_deadlines`: much at once, and too late

mod raw_socket_application;
mod raw_socket_deadlines;
mod raw_socket_floods;
mod raw_socket_frames;
mod raw_socket_http;
mod support;
