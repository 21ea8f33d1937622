/** What cannot be asked for together with `--follow`. */
import { SluiceError } from '../../shared/errors.ts'
import type { CopyOperation } from '../operation.ts'

/** @throws SluiceError BAD_FLAG */
export function refuseCombinations(operation: CopyOperation): void {
  const { where, again, part, constants, explodeMap, codecs, track, ring, script, onExisting, verify } = operation
  const named: readonly (readonly [string, boolean, string])[] = [
    ['--where', where !== undefined, 'rows come and go from its condition, which the stream does not tell'],
    ['--again', again === true, 'chunks would be written behind the back of the stream'],
    ['--part', part !== undefined, 'a stream has one reader'],
    ['--constant', Object.keys(constants ?? {}).length > 0, 'rows of the stream are those of the table'],
    ['--explode-map', explodeMap !== undefined, 'rows of the stream are those of the table'],
    ['--codec', codecs !== undefined, 'rows of the stream are those of the table'],
    ['--track', track !== undefined, 'token ranges have no stream'],
    ['--splits', ring !== undefined, 'token ranges have no stream'],
    ['--settings', script !== undefined, 'its runs end'],
    ['--verify none', verify === 'none', 'a followed table begins with rows that are proved'],
    [
      `--on-existing ${onExisting}`,
      onExisting === 'append' || onExisting === 'upsert',
      'rows that the source does not have would stay in the target',
    ],
  ]
  for (const [flag, isGiven, reason] of named) {
    if (isGiven) throw new SluiceError('BAD_FLAG', `${flag} cannot be combined with --follow`, { reason })
  }
}
