/** What goes wrong between us and a broker, as MQTT.js tells it, put into words. */
import { ReasonCodes } from 'mqtt';
import { Fault } from './faults.ts';

/** The broker took the packet and said no: MQTT 5 only, a 3.1.1 broker acknowledges and throws it away. */
export class PublishRefused extends Error {
  readonly reasonCode: number;

  constructor(topic: string, reasonCode: number) {
    super(`broker refused ${topic}: ${ReasonCodes[reasonCode as keyof typeof ReasonCodes]} (${reasonCode})`);
    this.name = 'PublishRefused';
    this.reasonCode = reasonCode;
  }
}

/** Whether a link that was online may have ended so with nothing wrong on either side. */
export function isPassing(cause: Error): boolean {
  if (cause instanceof Unreasonable) return false;
  const reasonCode = reasonCodeOf(cause);
  // 139 server shutting down, 141 keep alive timeout
  return reasonCode === undefined || reasonCode === 139 || reasonCode === 141;
}

export class ClosedBeforeConnack extends Error {
  constructor() {
    super('the broker closed the connection without a word');
    this.name = 'ClosedBeforeConnack';
  }
}

/** The broker, or who pretends to be one, sends what would harm us. */
export class Unreasonable extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Unreasonable';
  }
}

/** Mosquitto 2.0 hangs up on a client whose id another one took, without the reason that MQTT 5 has for it. */
export class LinksDieYoung extends Error {
  constructor() {
    super('the broker keeps closing the connection soon after taking it');
    this.name = 'LinksDieYoung';
  }
}

export function reasonError(reasonCode: number): Error {
  const reason = ReasonCodes[reasonCode as keyof typeof ReasonCodes] ?? 'unknown';
  return Object.assign(new Error(`the broker disconnected us: ${reason}`), { code: reasonCode });
}

/** MQTT.js puts the reason code of the broker into `code`, where system errors have a word. */
export function reasonCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'number' && code > 0 ? code : undefined;
}

/** mqtt-packet's errors have neither a code nor a class of their own. */
export function isParseError(error: Error): boolean {
  return (
    !('code' in error) &&
    /^(Cannot parse|Invalid |Malformed|Packet|Unknown property|Not supported)/.test(error.message)
  );
}

/**
 * The fault an ended or failed connection stands for. `url` must hold no secrets; `certificateEndsAt` is when our own
 * certificate does, if we showed one.
 */
export function explain(cause: Error, url: string, certificateEndsAt?: Date): Fault {
  const reasonCode = reasonCodeOf(cause);
  const options = { cause };
  switch (reasonCode) {
    case 4: // 3.1.1 bad user name or password, 5 not authorized; MQTT 5 134 and 135
    case 5:
    case 134:
    case 135:
      return new Fault(
        'BROKER_CREDENTIALS',
        `the broker at ${url} does not accept our user name and password (reason ${reasonCode})`,
        'check mqtt.username and mqtt.passwordFile (or HARKD_MQTT_PASSWORD); mosquitto keeps them with mosquitto_passwd',
        options,
      );
    case 142:
      return new Fault(
        'BROKER_REFUSED',
        `another client took over our client id at ${url}`,
        'two daemons have the same site or client id: give each its own',
        options,
      );
    case undefined:
      break;
    default:
      return new Fault(
        'BROKER_REFUSED',
        `the broker at ${url} refused us: ${cause.message}`,
        'the log of the broker says why; for mosquitto: journalctl -u mosquitto',
        options,
      );
  }
  if (cause instanceof LinksDieYoung) {
    return new Fault(
      'BROKER_REFUSED',
      `${cause.message} at ${url}`,
      'two daemons with the same site or client id throw each other out: give each its own; or read the log of the broker',
      options,
    );
  }
  if (cause instanceof Unreasonable) {
    return new Fault(
      'BROKER_REFUSED',
      `we hung up on the broker at ${url}: ${cause.message}`,
      'is it a broker, and nobody in between? mosquitto_sub -v -t "harkd/#" shows what is on our topics',
      options,
    );
  }
  const code = (cause as NodeJS.ErrnoException).code;
  if (cause instanceof ClosedBeforeConnack || isParseError(cause) || code === 'ECONNRESET') {
    return new Fault(
      'BROKER_REFUSED',
      `what listens at ${url} does not answer as an MQTT broker: ${cause.message}`,
      // the alert of a broker that misses a certificate may be lost with the connection
      `check the port and the scheme: 1883 is mqtt, 8883 mqtts, 9001 often ws; or the broker is full${/^(mqtts|wss):/.test(url) ? ', or wants a certificate of ours (mqtt.certFile)' : ''}`,
      options,
    );
  }
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return new Fault(
      'BROKER_REFUSED',
      `no trusted connection to ${url}: it does not speak TLS`,
      'check the port and the scheme: 8883 is mqtts, 1883 mqtt without TLS',
      options,
    );
  }
  if (typeof code === 'string' && /CERT|TLS|SSL|UNABLE_TO_/.test(code)) {
    return new Fault(
      'BROKER_CERTIFICATE',
      `no trusted connection to ${url}: ${firstLine(cause.message)} (${code})`,
      certificateHint(code, certificateEndsAt),
      options,
    );
  }
  return new Fault(
    'BROKER_UNREACHABLE',
    `no broker answers at ${url}: ${cause.message || code}`,
    code === 'ENOTFOUND' || code === 'EAI_AGAIN'
      ? 'the host name is not known here: check its spelling and the network, or use the address'
      : 'start the broker (sudo systemctl start mosquitto), check host, port and firewall, or run with --broker embedded',
    options,
  );
}

/** OpenSSL ends its messages with a place in its sources and a newline. */
function firstLine(message: string): string {
  return message.split('\n')[0] ?? '';
}

/** What to do about a certificate that is not taken: that of the broker, or, if it sent an alert, ours. */
function certificateHint(code: string, certificateEndsAt: Date | undefined): string {
  if (/_ALERT_/.test(code)) {
    if (certificateEndsAt === undefined) {
      return 'the broker wants to see a certificate of ours: set mqtt.certFile and mqtt.keyFile';
    }
    return certificateEndsAt.getTime() < Date.now()
      ? `our certificate (mqtt.certFile) ended at ${certificateEndsAt.toISOString()}: renew it`
      : 'the broker does not take our certificate (mqtt.certFile): it must be signed by an authority that the broker knows (cafile in mosquitto)';
  }
  switch (code) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `renew the certificate of the broker, unless the clock of this machine is wrong: it says ${new Date().toISOString()}`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'use an address that is in the certificate of the broker, or say with mqtt.serverName which name it has';
    default:
      return 'name the authority that signed the certificate of the broker, or that certificate itself, in mqtt.caFile';
  }
}
