/** Whether a condition that somebody typed stays within the brackets that are put around it. */
import { SluiceError } from '../../../shared/errors.ts'

/** Texts, quoted names and comments, in which brackets mean nothing. */
const SKIPPED = /'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$/g

/** @throws SluiceError BAD_PREDICATE */
export function refuseUnbalanced(where: string): void {
  const bare = where.replaceAll(SKIPPED, ' ')
  let depth = 0
  for (const char of bare) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (depth < 0 || char === ';') break
  }
  if (depth === 0 && !bare.includes(';') && where.trim() !== '') return
  throw new SluiceError('BAD_PREDICATE', 'the brackets of --where do not match, or it is more than one condition', {
    where,
    hint: "write one condition in the source's SQL, as it would stand behind WHERE",
  })
}
