/** Types that columns are declared with, where files with types have them too. SQLite holds no value to them: whoever writes a file looks at each. */
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'

const NAMED: readonly (readonly [RegExp, DeclaredType])[] = [
  [/^(?:BOOLEAN|BOOL)$/, 'boolean'],
  [/^DATE$/, 'date'],
  [/^TIME$/, 'time'],
  [/^(?:TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE)$/, 'timestamptz'],
  [/^(?:TIMESTAMP|DATETIME)$/, 'timestamp'],
  [/^UUID$/, 'uuid'],
  // As SQLite itself tells affinities, by what a name holds and in this order.
  [/INT/, 'int64'],
  [/CHAR|CLOB|TEXT/, 'text'],
  [/REAL|FLOA|DOUB/, 'double'],
]

/** @param declared as the table says it; null for an expression */
export function declaredIn(declared: string | null): DeclaredType | undefined {
  const name = (declared ?? '').trim().toUpperCase().replaceAll(/\s+/g, ' ')
  const digits = /^(?:DECIMAL|NUMERIC) ?\( ?(\d+) ?(?:, ?(\d+) ?)?\)$/.exec(name)
  if (digits !== null) return decimalType(Number(digits[1]), Number(digits[2] ?? 0))
  return NAMED.find(([form]) => form.test(name.replace(/ ?\( ?\d+ ?\)/, '')))?.[1]
}
