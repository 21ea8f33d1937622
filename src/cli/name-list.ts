/** Names in one word of a command line: `a,b`, `"a,b",c` for names with commas, `old=new` for a new name. */
import { SluiceError } from '../shared/errors.ts'

/** One name, as it is or in double quotes, which stand for themselves when doubled. */
const NAME = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y

/**
 * The names of a list with commas between them.
 * @param flag for messages: `--columns`
 * @throws SluiceError BAD_FLAG where a name is empty, or a quote does not close
 */
export function splitNames(flag: string, text: string): readonly string[] {
  const names: string[] = []
  NAME.lastIndex = 0
  for (let more = true; more;) {
    const found = NAME.exec(text)
    const name = found?.[1]?.replaceAll('""', '"') ?? found?.[2]?.trim() ?? ''
    if (found === null || name === '') {
      throw new SluiceError('BAD_FLAG', `${flag} ${text} is no list of names`, {
        hint: `write it like ${flag} a,b; a name with a comma or a quote in it stands in double quotes`,
      })
    }
    names.push(name)
    more = found[3] === ','
  }
  return names
}

const RENAME = /^(?:"((?:[^"]|"")+)"|([^"=]+))=(.+)$/s

/** `old=new` in two names. @throws SluiceError BAD_FLAG */
export function splitRename(flag: string, text: string): readonly [old: string, fresh: string] {
  const found = RENAME.exec(text)
  const old = found?.[1]?.replaceAll('""', '"') ?? found?.[2] ?? ''
  const given = found?.[3] ?? ''
  const quoted = /^"((?:[^"]|"")+)"$/s.exec(given)
  const fresh = quoted?.[1]?.replaceAll('""', '"') ?? given
  if (old.trim() === '' || fresh.trim() === '') {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} names no column`, { hint: `write it like ${flag} old=new` })
  }
  return [old, fresh]
}
