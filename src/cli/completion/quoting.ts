/** Words as a shell has them while they are typed: with quotes, some of them still open, backslashes and variables. */

type Env = Readonly<Record<string, string | undefined>>

type Quote = "'" | '"' | null

/** @param env what variables hold; one that is not set stays as it is written */
export function unquoted(raw: string, env: Env): { readonly text: string; readonly open: Quote } {
  let open: Quote = null
  let text = ''
  for (let at = 0; at < raw.length; at += 1) {
    const sign = raw[at] ?? ''
    const next = raw[at + 1]
    if (open === "'") {
      if (sign === "'") open = null
      else text += sign
    } else if (sign === '\\' && next !== undefined && (open === null || /["\\$`]/.test(next))) {
      text += next
      at += 1
    } else if (sign === '"') open = open === null ? '"' : null
    else if (sign === "'" && open === null) open = "'"
    else {
      const name = sign === '$' ? /^\$(?:(\w+)|\{(\w+)\})/.exec(raw.slice(at)) : null
      const value = name === null ? undefined : env[name[1] ?? name[2] ?? '']
      text += value ?? sign
      if (name !== null && value !== undefined) at += name[0].length - 1
    }
  }
  return { text, open }
}

/** A word as it can go on behind what is typed: without the quote that is open, which the shell keeps and closes. */
export function quotedFor(word: string, open: Quote): string {
  if (open === "'") return word.replaceAll("'", String.raw`'\''`)
  if (open === '"') return word.replaceAll(/["\\$`]/g, (sign) => `\\${sign}`)
  return word.replaceAll(/[^\p{L}\p{N}_@%+=:,./-]/gu, (sign) => `\\${sign}`)
}
