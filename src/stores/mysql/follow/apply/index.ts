/** MySQL and MariaDB as the target of changes. */
import { throwIfAborted } from '../../../../shared/abort.ts'
import type { ChangeRequest, ChangeTarget, ChangeWriter, TargetExam } from '../../../../model/follow/port.ts'
import type { MysqlConfig } from '../../config.ts'
import { targetError } from '../../copy/errors.ts'
import { examineTarget } from './exam.ts'
import { openApplySession } from './session.ts'
import { openChangeWriter } from './writer.ts'

export class MysqlApply implements ChangeTarget {
  readonly #config: MysqlConfig

  constructor(config: MysqlConfig) {
    this.#config = config
  }

  async examine(request: ChangeRequest): Promise<TargetExam> {
    throwIfAborted(request.signal)
    try {
      const session = await openApplySession(this.#config)
      try {
        return await examineTarget(request, session)
      } finally {
        await session.rollBack()
        await session.close()
      }
    } catch (error) {
      throw targetError(error, this.#config.label)
    }
  }

  async open(request: ChangeRequest): Promise<ChangeWriter> {
    throwIfAborted(request.signal)
    try {
      return await openChangeWriter(request, await openApplySession(this.#config), this.#config)
    } catch (error) {
      throw targetError(error, this.#config.label)
    }
  }
}
