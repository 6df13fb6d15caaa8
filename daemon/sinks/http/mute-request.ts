import type { IncomingMessage } from 'node:http';

const maxBodyBytes = 1024;

/** The body as text, or word that it is longer than anything we expect, or that the client went away. */
export function readBody(request: IncomingMessage): Promise<string | 'too long' | 'gone'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBodyBytes) chunks.push(chunk);
      else {
        // not destroyed: the client is still to be told
        request.pause();
        resolve('too long');
      }
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', () => resolve('gone'));
    request.on('close', () => resolve('gone'));
  });
}

/**
 * What `{"muted": true}` asks for. The type must be JSON, and not only to understand it: a form of another site can
 * be sent here without the browser asking first, but only as text/plain or form data (Fetch Standard §3.3.2).
 */
export function muteFrom(contentType: string | undefined, body: string): boolean | 'wrong type' | undefined {
  if (!/^application\/json *(;|$)/i.test(contentType ?? '')) return 'wrong type';
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const { muted } = value as { muted?: unknown };
    return typeof muted === 'boolean' ? muted : undefined;
  } catch {
    return undefined;
  }
}
