/** A server that is listening, or the reason why not. */
import type { Server } from 'node:net';

/** Resolves when `server` listens there. Rejects with what the system says; the server may be tried again. */
export function startListening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
