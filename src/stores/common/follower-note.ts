/** The note of who follows a stream, in the form in which a source keeps it. */
import { SluiceError } from '../../shared/errors.ts'
import type { Follower, StreamBirth } from '../../model/follow/port.ts'

/** @param value what the source has under its name, parsed @returns null for what is no such note */
export function followerFrom(value: unknown): Follower | null {
  if (typeof value !== 'object' || value === null) return null
  const { owner, address, addresses, origin } = value as Partial<Record<keyof Follower, unknown>>
  if (typeof owner !== 'string' || typeof address !== 'string') return null
  const known = typeof origin === 'object' && origin !== null ? Object.entries(origin) : []
  return {
    owner,
    address,
    ...(Array.isArray(addresses) ? { addresses: addresses.map(String) } : {}),
    origin: Object.fromEntries(known.map(([name, text]) => [name, String(text)])),
  }
}

/** @param text JSON @returns null for what is no such note */
export function followerOf(text: string | null): Follower | null {
  try {
    return followerFrom(JSON.parse(text ?? 'null'))
  } catch {
    return null
  }
}

/**
 * Before notes of changes are forgotten, in the same transaction, behind a lock that `noteFollower` takes too.
 * @param noted at the source now
 * @throws SluiceError SOURCE_IO, retryable, where another target follows by now: the stream is opened again, and says so
 */
export function refuseOtherFollower({ slot, owners = [] }: StreamBirth, noted: Follower | null): void {
  if (noted === null || owners.length === 0 || owners.includes(noted.owner)) return
  throw new SluiceError('SOURCE_IO', `another target follows ${slot} by now: ${noted.address}`, {
    kind: 'source',
    retryable: true,
  })
}
