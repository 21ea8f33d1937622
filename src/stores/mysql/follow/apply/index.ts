/** MySQL as the target of changes. */
import { throwIfAborted } from '../../../../shared/abort.ts'
import type { Column } from '../../../../model/copy/column-type.ts'
import type { ChangeRequest, ChangeTarget, ChangeWriter, TargetPreflight } from '../../../../model/follow/port.ts'
import type { MysqlConfig } from '../../config.ts'
import { mysqlTargetError } from '../../copy/errors.ts'
import { openCopySession } from '../../copy/sessions.ts'
import type { MysqlSession } from '../../session.ts'
import { checkMysqlTarget, foldsTexts } from './preflight.ts'
import { openChangeWriter } from './writer.ts'

export class MysqlApply implements ChangeTarget {
  readonly #config: MysqlConfig

  constructor(config: MysqlConfig) {
    this.#config = config
  }

  async inspect(request: ChangeRequest): Promise<TargetPreflight> {
    throwIfAborted(request.signal)
    try {
      const session = await openApplySession(this.#config)
      try {
        return await checkMysqlTarget(request, session)
      } finally {
        await session.rollBack()
        await session.close()
      }
    } catch (error) {
      throw mysqlTargetError(error, this.#config.label)
    }
  }

  folds(column: Pick<Column, 'native' | 'collation'>): boolean {
    return foldsTexts(column)
  }

  async open(request: ChangeRequest): Promise<ChangeWriter> {
    throwIfAborted(request.signal)
    try {
      return await openChangeWriter(request, await openApplySession(this.#config), this.#config)
    } catch (error) {
      throw mysqlTargetError(error, this.#config.label)
    }
  }
}

/**
 * Opens a session that applies changes: like a session that writes a copy, but without foreign key checks, because the
 * source has checked the rows.
 * @throws SluiceError CONNECT_FAILED, TLS_FAILED
 */
async function openApplySession(config: MysqlConfig): Promise<MysqlSession> {
  const session = await openCopySession(config, 'write')
  try {
    // Unique values are still checked: a row that conflicts with another one must not vanish.
    await session.command('SET SESSION foreign_key_checks = 0, SESSION unique_checks = 1')
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}
