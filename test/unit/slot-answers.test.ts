/** When a worker gives up a slot that does not answer. */
import { expect, test } from 'vitest'
import { TaskReplies } from '../../src/app/share/task-replies.ts'

/** Unanswered heartbeats, one each 2 s. */
function silent(answers: TaskReplies, seconds: number): TaskReplies {
  for (let n = 0; n < seconds / 2; n++) answers.nextCheck()
  return answers
}

function answering(hasFiles: boolean, cpu: () => number | null = () => 0): TaskReplies {
  const answers = new TaskReplies(hasFiles, cpu)
  answers.onMessage(true)
  answers.nextCheck()
  return answers
}

test('a slot in a long statement on a file is not late; after a stop it has the usual time', () => {
  const answers = silent(answering(true), 300)
  expect([answers.isLate, answers.isGone]).toEqual([false, false])
  answers.stopped()
  silent(answers, 28)
  expect(answers.isGone).toBe(false)
  // The worker itself ends and drops its batch; this does not restart the time.
  answers.stopped()
  silent(answers, 2)
  expect(answers.isGone).toBe(true)
})

test('a slot that uses CPU in a statement on a file is not given up, even after a stop, until it uses none', () => {
  let cpu = 0
  let grows = true
  const answers = answering(true, () => (grows ? cpu++ : cpu))
  answers.stopped()
  silent(answers, 600)
  expect([answers.isLate, answers.isGone]).toEqual([false, false])
  grows = false
  silent(answers, 28)
  expect([answers.isLate, answers.isGone]).toEqual([true, false])
  silent(answers, 4)
  expect(answers.isGone).toBe(true)
})

test('a slot with files is not given up if its CPU use is unknown; one without files is, even if it uses CPU', () => {
  const unknown = answering(true, () => null)
  unknown.stopped()
  expect(silent(unknown, 600).isGone).toBe(false)
  let cpu = 0
  expect(
    silent(
      answering(false, () => cpu++),
      30,
    ).isGone,
  ).toBe(true)
})

test('a slot that starts slowly is not late until it is given up', () => {
  const answers = new TaskReplies(false, () => 0)
  answers.nextCheck()
  silent(answers, 118)
  expect([answers.isLate, answers.isGone]).toEqual([false, false])
  silent(answers, 2)
  expect(answers.isGone).toBe(true)
})

test('a slot that has answered is late after a third of the time until it is given up', () => {
  const answers = silent(answering(false), 10)
  expect([answers.isLate, answers.isGone]).toEqual([true, false])
  silent(answers, 20)
  expect(answers.isGone).toBe(true)
})
