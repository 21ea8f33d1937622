/** Addresses in the spelling of PostgreSQL and RFC 5952; the driver's spelling loses parts of some addresses. */
import { isIPv4, isIPv6 } from 'node:net'

/** @param bytes 4 (IPv4) or 16 (IPv6) */
export function inetText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const words = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0))
  const { start, length } = longestZeros(words)
  const isOldAddress = start === 0 && (length === 6 || (length === 5 && words[5] === 0xffff))
  const shown = isOldAddress ? words.slice(0, 6) : words
  const texts = shown.map((word) => word.toString(16))
  const tail = isOldAddress ? [bytes.slice(12).join('.')] : []
  if (length < 2) return [...texts, ...tail].join(':')
  return `${texts.slice(0, start).join(':')}::${[...texts.slice(start + length), ...tail].join(':')}`
}

/** Bytes of an address; null if the text is not an address. */
export function inetBytes(text: string): Buffer | null {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) return null
  const point = text.lastIndexOf(':')
  const old = text.includes('.')
    ? text
        .slice(point + 1)
        .split('.')
        .map(Number)
    : null
  const [head = '', tail] = (old === null ? text : `${text.slice(0, point)}:${hex(old, 0)}:${hex(old, 2)}`).split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const bytes = Buffer.alloc(16)
  for (const [at, word] of before.entries()) bytes.writeUInt16BE(Number.parseInt(word, 16), at * 2)
  for (const [at, word] of after.entries()) bytes.writeUInt16BE(Number.parseInt(word, 16), (8 - after.length + at) * 2)
  return bytes
}

function hex(old: readonly number[], at: number): string {
  return (((old[at] ?? 0) << 8) | (old[at + 1] ?? 0)).toString(16)
}

/** The first of the longest runs of zeros. */
function longestZeros(words: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [at, word] of words.entries()) {
    if (word !== 0) start = at + 1
    else if (at - start + 1 > best.length) best = { start, length: at - start + 1 }
  }
  return best
}
