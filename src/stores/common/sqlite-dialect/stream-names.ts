/** Names of what a stream by triggers keeps in the file that it follows. */

const NAMES = /^(sluice_\d+)_(?:progress|follower|keys_\d+|\d+_[a-z_]+)$/

/** What begins the names of a stream that something belongs to; null for what no stream has made. */
export function streamOfName(name: string): string | null {
  return NAMES.exec(name)?.[1] ?? null
}
