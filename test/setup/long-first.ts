/**
 * The order of a run: large files first, as vitest does it where it knows no times, and before them the small ones that take long all the same. One
 * of those at the very end would keep one worker busy while the others have nothing left.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const SMALL_BUT_LONG = [
  'test/real/validate-tables.test.ts',
  'test/tui/soak.test.ts',
  'test/fault/import-kill.test.ts',
  'test/fault/copy-kill.test.ts',
  'test/real/s3-tables.test.ts',
  'test/tui/copy-soak.test.ts',
]

export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest's that gives a new array
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification): boolean => SMALL_BUT_LONG.some((name) => moduleId.endsWith(name))
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
