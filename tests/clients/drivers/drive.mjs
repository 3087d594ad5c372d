// What every driver here does with its client; `drive.py` says it in words.

import { setTimeout as sleep } from 'node:timers/promises';

export const URL = process.env.FIREDRILL_URL;
const CLASS = process.env.CLIENTS_CLASS;
const CALM = 1000 * Number(process.env.CLIENTS_CALM);
const OPERATIONS = Number(process.env.CLIENTS_OPERATIONS);

const now = () => performance.now();

/** `operation` takes a method, a path and a body, and throws what its client throws. */
export async function drive(operation) {
  let begun;
  for (let number = 1; begun === undefined || now() < begun + CALM - 1500; number += 1) {
    const method = number % 4 === 0 ? 'POST' : 'GET';
    await operation(method, `/op/calm/${number}`, { operation: number });
    begun ??= now();
    await sleep(80);
  }
  await sleep(Math.max(0, begun + CALM + 200 - now()));

  const attempt = async (number) => {
    const method = number <= OPERATIONS ? 'GET' : 'POST';
    try {
      await operation(method, `/op/${CLASS}/${number}`, { operation: number });
      console.log(`${method} ${number}: done`);
    } catch (error) {
      console.log(`${method} ${number}: ${error}`.slice(0, 300));
    }
  };
  await Promise.all(Array.from({ length: 2 * OPERATIONS }, (_, at) => attempt(at + 1)));
  await sleep(1200);
  // Whatever still has a timer or a connection has nothing more to do.
  process.exit(0);
}
