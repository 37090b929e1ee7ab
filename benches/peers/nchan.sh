#!/usr/bin/env bash
# nginx with nchan: a worker for each core, no logs, no limit on requests per connection. A message buffer it
# must have, since subscribers are served from it; it is as short as the generator's window allows.
# Usage: nchan.sh PORT DIR
set -euo pipefail
module=/usr/lib/nginx/modules/ngx_nchan_module.so
mkdir -p "$2/temp"
cat >"$2/nginx.conf" <<CONF
load_module $module;
$([ "$(id -u)" = 0 ] && echo "user root;")
daemon off;
worker_processes $(nproc);
worker_rlimit_nofile $(ulimit -n);
pid $2/nginx.pid;
error_log $2/error.log error;
events { worker_connections $(ulimit -n); multi_accept on; }
http {
    access_log off;
    client_body_temp_path $2/temp/body;
    proxy_temp_path $2/temp/proxy;
    fastcgi_temp_path $2/temp/fastcgi;
    uwsgi_temp_path $2/temp/uwsgi;
    scgi_temp_path $2/temp/scgi;
    keepalive_requests 1000000000;
    nchan_shared_memory_size 512M;
    nchan_message_buffer_length 4096;
    nchan_message_timeout 10s;
    server {
        listen 127.0.0.1:$1 backlog=4096;
        location ~ ^/sub/([\w-]+)\$ {
            nchan_subscriber websocket;
            nchan_channel_id \$1;
            nchan_websocket_ping_interval 25;
        }
        location ~ ^/pub/([\w-]+)\$ {
            nchan_publisher http;
            nchan_channel_id \$1;
        }
    }
}
CONF
exec nginx -p "$2" -c "$2/nginx.conf" -e "$2/error.log"
