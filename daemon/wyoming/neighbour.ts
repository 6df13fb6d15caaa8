/** Who may knock. Wyoming knows no passwords, so what comes through a router's open port must not get in. */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isAtHome } from '../address.ts';

/** Networks this machine is in, with its address there: `192.168.1.5/24`. IPv6 at home is public, and yet near. */
function ownNetworks(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ cidr }) => cidr ?? []),
  );
}

/** Whether the address of a peer is one of a house, or of a network this machine is in. */
export function isNeighbour(address: string, networks: readonly string[] = ownNetworks()): boolean {
  // a socket for both families has IPv4 in the clothes of IPv6 (RFC 4291 §2.5.5.2), and link-local ones an interface
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*$/, '');
  const family = isIP(plain);
  if (family === 0) return false;
  if (isAtHome(plain)) return true;
  const near = new BlockList();
  for (const network of networks) {
    const [base = '', bits] = network.split('/');
    near.addSubnet(base, Number(bits), isIP(base) === 6 ? 'ipv6' : 'ipv4');
  }
  return near.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}
