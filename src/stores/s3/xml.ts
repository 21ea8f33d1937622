/** Parser for the XML of S3 and STS: flat elements of text, found by name. */

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Text of the first element of that name; null if there is none. */
export function tagText(xml: string, tag: string): string | null {
  const begin = xml.indexOf(`<${tag}>`)
  if (begin === -1) return null
  const start = begin + tag.length + 2
  const end = xml.indexOf(`</${tag}>`, start)
  return end === -1 ? null : unescaped(xml.slice(start, end))
}

/** Inner XML of every element of that name, in order. Elements of one name are never nested in these answers. */
export function* elements(xml: string, tag: string): Generator<string> {
  const [open, close] = [`<${tag}>`, `</${tag}>`]
  for (let at = xml.indexOf(open); at !== -1;) {
    const end = xml.indexOf(close, at)
    if (end === -1) return
    yield xml.slice(at + open.length, end)
    at = xml.indexOf(open, end)
  }
}

function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, digits?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (digits !== undefined) return String.fromCodePoint(Number(digits))
    return ENTITIES[name ?? ''] ?? whole
  })
}
