// Socket.IO as its documentation shows it: rooms joined on request, messages emitted to rooms.
//
// WebSocket transport only, no compression, its own default heartbeat of 25 s. Usage: node socketio-hub.mjs <port>
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
});

io.on("connection", (socket) => {
  socket.on("subscribe", (room, acknowledge) => {
    socket.join(room);
    acknowledge();
  });
  socket.on("publish", (room, data) => {
    io.to(room).emit("message", data);
  });
});

http.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
