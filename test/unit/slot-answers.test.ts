/** When a worker gives up a program that does not answer. */
import { expect, test } from 'vitest'
import { SlotAnswers } from '../../src/app/share/slot-answers.ts'

/** Beats of 2 s, none of which is answered. */
function silent(answers: SlotAnswers, seconds: number): SlotAnswers {
  for (let n = 0; n < seconds / 2; n++) answers.beat()
  return answers
}

function answering(hasFiles: boolean, cpu: () => number | null = () => 0): SlotAnswers {
  const answers = new SlotAnswers(hasFiles, cpu)
  answers.heard(true)
  answers.beat()
  return answers
}

test('a long statement in a file may last; asked to end, it has as long as any other from then on', () => {
  const answers = silent(answering(true), 300)
  expect([answers.isLate, answers.isGone]).toEqual([false, false])
  answers.stopped()
  silent(answers, 28)
  expect(answers.isGone).toBe(false)
  // The worker itself ends: its batch is dropped too, which is no second beginning.
  answers.stopped()
  silent(answers, 2)
  expect(answers.isGone).toBe(true)
})

test('a statement in a file that uses CPU is given up by no silence, also behind a stop, until it uses none', () => {
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

test('a statement in a file lasts where the system reports no CPU; a program without files that spins is given up', () => {
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

test('one that starts slowly is not late: its worker speaks for it until it is given up', () => {
  const answers = new SlotAnswers(false, () => 0)
  answers.beat()
  silent(answers, 118)
  expect([answers.isLate, answers.isGone]).toEqual([false, false])
  silent(answers, 2)
  expect(answers.isGone).toBe(true)
})

test('one that has answered is late after a third of the time after which it is given up', () => {
  const answers = silent(answering(false), 10)
  expect([answers.isLate, answers.isGone]).toEqual([true, false])
  silent(answers, 20)
  expect(answers.isGone).toBe(true)
})
