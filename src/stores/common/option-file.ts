/** Login settings in files of other programs: sections in brackets, one name and value per line. */
import { readFileSync, statSync, type Stats } from 'node:fs'

/** True if users other than the owner can read or change a file. False on Windows, which has no such bits. */
export const isOpenToOthers = ({ mode }: Stats): boolean => process.platform !== 'win32' && (mode & 0o077) !== 0

/** The text of a file; null if it is missing, unreadable, or refused by `isRefused`. */
export function optionFileText(file: string, isRefused: (stats: Stats) => boolean = () => false): string | null {
  try {
    return isRefused(statSync(file)) ? null : readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

/**
 * Names and values of all sections with this name; null if there is none. A name without a value has ''. Lines that
 * begin with `#` or `;` are skipped. Values are unchanged except for the blanks around them.
 */
export function sectionOf(text: string, section: string): ReadonlyMap<string, string> | null {
  let found: Map<string, string> | null = null
  let isIn = false
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const head = /^\[(.*)\]$/.exec(line)
    if (head !== null) {
      isIn = head[1] === section
      if (isIn) found ??= new Map()
      continue
    }
    if (!isIn) continue
    found?.set(...splitOnce(line))
  }
  return found
}

function splitOnce(line: string): readonly [string, string] {
  const at = line.indexOf('=')
  return at === -1 ? [line, ''] : [line.slice(0, at).trimEnd(), line.slice(at + 1).trimStart()]
}
