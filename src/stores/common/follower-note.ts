/** Record of the target that replicates a stream, as the source stores it. */
import { SluiceError } from '../../shared/errors.ts'
import type { RecordedTarget, StreamStart } from '../../model/follow/port.ts'

/** @param value the stored record, parsed @returns null if the value does not have the form of a record */
export function followerFrom(value: unknown): RecordedTarget | null {
  if (typeof value !== 'object' || value === null) return null
  const { owner, address, addresses, origin } = value as Partial<Record<keyof RecordedTarget, unknown>>
  if (typeof owner !== 'string' || typeof address !== 'string') return null
  const known = typeof origin === 'object' && origin !== null ? Object.entries(origin) : []
  return {
    owner,
    address,
    ...(Array.isArray(addresses) ? { addresses: addresses.map(String) } : {}),
    origin: Object.fromEntries(known.map(([name, text]) => [name, String(text)])),
  }
}

/** @param text the stored record, as JSON @returns null if the text does not have the form of a record */
export function followerOf(text: string | null): RecordedTarget | null {
  try {
    return followerFrom(JSON.parse(text ?? 'null'))
  } catch {
    return null
  }
}

/**
 * Refuses to delete change notes if another target replicates the stream now. Called in the transaction that deletes
 * them, under a lock that `recordTarget` takes too.
 * @param noted record at the source now
 * @throws SluiceError SOURCE_IO, retryable, if another target replicates now: the stream is reopened, and reports that
 */
export function refuseOtherFollower({ slot, owners = [] }: StreamStart, noted: RecordedTarget | null): void {
  if (noted === null || owners.length === 0 || owners.includes(noted.owner)) return
  throw new SluiceError('SOURCE_IO', `another target now replicates from ${slot}: ${noted.address}`, {
    kind: 'source',
    retryable: true,
  })
}

/** Default ports, by protocol of the URL. */
const USUAL: Readonly<Record<string, string>> = {
  'postgresql:': '5432',
  'postgres:': '5432',
  'mysql:': '3306',
  'mariadb:': '3306',
}

/**
 * Address of a database: its URL with the port, but without user, password and options. Two URLs of one database have
 * equal addresses, and all names of the local host are equal. A text that is not a URL is returned unchanged.
 */
export function addressOf(label: string): string {
  if (!URL.canParse(label)) return label
  const { protocol, hostname, port, pathname, searchParams } = new URL(label)
  const host = /^(?:127\.0\.0\.1|\[::1\])$/.test(hostname) ? 'localhost' : hostname.toLowerCase()
  const socket = host === '' && searchParams.has('host') ? `?host=${searchParams.get('host')}` : ''
  const at = host === '' ? '' : `${host}:${port === '' ? (USUAL[protocol] ?? '') : port}`
  const system = protocol === 'postgres:' ? 'postgresql:' : protocol === 'mariadb:' ? 'mysql:' : protocol
  return `${system}//${at}${pathname}${socket}`
}
