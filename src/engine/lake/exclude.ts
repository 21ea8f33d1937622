/** `--exclude WORD`: a substring of the path below the folder, or a glob of it where WORD holds `*`, `?` or `[`. */

/** @returns the first word that excludes `path` ('/' between parts), or null */
export function excludedBy(path: string, words: readonly string[]): string | null {
  for (const word of words) {
    if (/[*?[]/.test(word) ? globToRegExp(word).test(path) : path.includes(word)) return word
  }
  return null
}

/** `*` and `?` stay within one part of the path, `**` crosses parts; a glob without '/' may match any part. */
function globToRegExp(glob: string): RegExp {
  let source = ''
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i] as string
    if (c === '*' && glob[i + 1] === '*') {
      source += '.*'
      i++
    } else if (c === '*') source += '[^/]*'
    else if (c === '?') source += '[^/]'
    else if (c === '[') {
      const end = glob.indexOf(']', i + 2)
      if (end === -1) source += '\\['
      else {
        const body = glob.slice(i + 1, end).replaceAll('\\', '\\\\')
        source += body.startsWith('!') ? `[^${body.slice(1)}]` : `[${body}]`
        i = end
      }
    } else source += c.replace(/[\\^$.|+(){}\]]/, '\\$&')
  }
  return new RegExp(glob.includes('/') ? `^${source}$` : `(^|/)${source}(/|$)`)
}
