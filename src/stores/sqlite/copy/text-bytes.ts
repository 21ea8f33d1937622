/** Texts whose bytes are no characters: the driver puts U+FFFD in their place and says nothing. */
import type Database from 'better-sqlite3'

export type Decode = (bytes: Uint8Array) => string | null

/** What the bytes of a text of this database spell; null where they spell nothing. */
export function decoderOf(connection: Database.Database): Decode {
  // Not by the driver's own pragma(), which waits for no iteration and refuses to run beside one.
  const encoding = String(connection.prepare('SELECT encoding FROM pragma_encoding').pluck().get()).toLowerCase()
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true })
  return (bytes) => {
    try {
      return decoder.decode(bytes)
    } catch {
      return null
    }
  }
}
