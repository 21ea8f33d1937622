/** Ends a chunk's transaction, and finds out its outcome if the reply was lost. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Closing, Statement } from '../../../model/run/ledger-port.ts'
import type { MysqlConfig } from '../config.ts'
import { ended } from '../session-end.ts'
import type { MysqlSession } from '../session.ts'
import { asking } from '../sessions.ts'
import { commitOutcome } from '../commit-outcome.ts'
import { translateSql } from '../translate.ts'

/** How long the server may take to end a session, in milliseconds: it rolls back first. */
const END_MS = 60_000

export type MysqlChunkEnd = 'committed' | 'fenced'

/** Runs the closing statements and commits. @throws the server's errors; the transaction is not rolled back then */
export async function closeMysqlChunk(
  config: MysqlConfig,
  session: MysqlSession,
  mark: string | null,
  closing: Closing,
): Promise<MysqlChunkEnd> {
  for (const [i, { sql, parameters }] of closing.statements.entries()) {
    const { changed } = await session.execute(translateSql(sql), parameters)
    if (i > 0 || changed === 1) continue
    await session.rollBack()
    return 'fenced'
  }
  const unanswered = await session.commit()
  return unanswered === null ? 'committed' : await outcomeOf(config, mark, closing, unanswered.lost)
}

/**
 * Ends the session that holds this lock, and waits until its transaction is over.
 * @throws SluiceError TARGET_BUSY if the server does not end it in time
 */
export async function endLockHolder(config: MysqlConfig, mark: string): Promise<void> {
  if (await asking(config, (asker) => ended(mark, asker, END_MS))) return
  throw new SluiceError('TARGET_BUSY', 'the server has not ended the session of a program whose lease expired', {
    where: config.label,
    reason: 'the server is still rolling back the writes of that session, or this user has no right to end it',
    hint: 'wait, or resume the copy as the user who began it',
    retryable: true,
  })
}

async function outcomeOf(
  config: MysqlConfig,
  mark: string | null,
  closing: Closing,
  lost: unknown,
): Promise<MysqlChunkEnd> {
  const outcome = await commitOutcome<MysqlChunkEnd | 'lost'>(config, {
    mark,
    endMs: END_MS,
    answer: async (asker) => {
      const gives = async ({ sql, parameters }: Statement): Promise<boolean> =>
        (await asker.rows(translateSql(sql), parameters)).length > 0
      if (await gives(closing.landed)) return 'committed'
      return (await gives(closing.guard)) ? 'lost' : 'fenced'
    },
    lost,
    ask: (body) => asking(config, body),
  })
  if (outcome !== 'lost') return outcome
  throw new SluiceError('CONNECTION_LOST', 'the connection broke before the chunk was committed', {
    where: config.label,
    retryable: true,
    cause: lost,
  })
}
