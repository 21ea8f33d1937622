/** Names of the objects that a trigger stream keeps in the database that it replicates. */

const NAMES = /^(sluice_\d+)_(?:progress|follower|keys_\d+|\d+_[a-z_]+)$/

/** Prefix of the stream that an object belongs to; null if no stream has made it. */
export function streamOfName(name: string): string | null {
  return NAMES.exec(name)?.[1] ?? null
}
