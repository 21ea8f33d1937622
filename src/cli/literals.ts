/** Words behind `--`: they are operands, whatever they look like. */

/** Stands for a word behind `--`: yargs gives those words to no operand, and would read `-dash` as flags. */
const LITERAL = '\u0000'

/** The words with those behind `--` as placeholders, and the way back. */
export function hideLiterals(argv: readonly string[]): {
  readonly words: readonly string[]
  readonly reveal: <T>(value: T) => T | string
} {
  const end = argv.indexOf('--')
  if (end === -1) return { words: argv, reveal: (value) => value }
  const literals = argv.slice(end + 1)
  const placeholders = literals.map((_, index) => `${LITERAL}${index}${LITERAL}`)
  const one = (text: string): string => {
    let plain = text
    for (const [index, placeholder] of placeholders.entries()) {
      plain = plain.split(placeholder).join(literals[index] ?? '')
    }
    return plain
  }
  const reveal = <T>(value: T): T | string => {
    if (typeof value === 'string') return one(value)
    return Array.isArray(value) ? (value.map((item: unknown) => reveal(item)) as T) : value
  }
  return { words: [...argv.slice(0, end), ...placeholders], reveal }
}
