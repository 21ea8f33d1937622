/** Names in one word of a command line: `a,b`, `"a,b",c` for names with commas, `old=new` to rename. */
import { SluiceError } from '../../shared/errors.ts'

/** One name, plain or in double quotes; a doubled quote inside is a quote. */
const NAME = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y

/**
 * Names of a comma-separated list.
 * @param flag for messages: `--columns`
 * @throws SluiceError BAD_FLAG if a name is empty, or a quote is not closed
 */
export function splitNames(flag: string, text: string): readonly string[] {
  const names: string[] = []
  NAME.lastIndex = 0
  for (let more = true; more;) {
    const found = NAME.exec(text)
    const name = found?.[1]?.replaceAll('""', '"') ?? found?.[2]?.trim() ?? ''
    if (found === null || name === '') {
      throw new SluiceError('BAD_FLAG', `${flag} ${text} is not a list of names`, {
        hint: `write it like ${flag} a,b; put a name with a comma or a quote into double quotes`,
      })
    }
    names.push(name)
    more = found[3] === ','
  }
  return names
}

const RENAME = /^(?:"((?:[^"]|"")+)"|([^"=]+))=(.+)$/s

/** Splits `old=new`. @throws SluiceError BAD_FLAG */
export function splitRename(flag: string, text: string): readonly [old: string, fresh: string] {
  const found = RENAME.exec(text)
  const old = found?.[1]?.replaceAll('""', '"') ?? found?.[2] ?? ''
  const given = found?.[3] ?? ''
  const quoted = /^"((?:[^"]|"")+)"$/s.exec(given)
  const fresh = quoted?.[1]?.replaceAll('""', '"') ?? given
  if (old.trim() === '' || fresh.trim() === '') {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} does not name a column`, {
      hint: `write it like ${flag} old=new`,
    })
  }
  return [old, fresh]
}
