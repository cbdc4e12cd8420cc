// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Scheduler.h"

#include <algorithm>
#include <new>

namespace chimera::serve {

using io::Status;

Scheduler::Scheduler(ServedModel &model, Metrics &metrics, const SchedulerOptions &options)
    : model(model), metrics(metrics), options(options), plan(model.manifest(), options.maxSequences, model.memoryLimit),
      prefixes(model, plan, size_t(options.prefixes)), worker(model, metrics, prefixes) {}

static ApiError shuttingDown() {
  return {503, "the server is about to end and takes no more requests", "", "shutting_down", 0};
}

Scheduler::~Scheduler() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
    refused = shuttingDown();
  }
  changed.notify_all();
  if (thread.joinable())
    thread.join();
}

void Scheduler::start() {
  publish(true);
  thread = std::thread([this] { loop(); });
}

int64_t Scheduler::mostNewTokens(int64_t promptTokens, int64_t choices) const {
  // The last new token is not fed.
  int64_t low = -1, high = plan.mostTokens() - promptTokens + 1;
  auto fits = [&](int64_t made) {
    return plan.everFits(plan.need(choices, promptTokens + std::max<int64_t>(made - 1, 0)));
  };
  while (low < high) {
    int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

std::optional<ApiError> Scheduler::submit(const std::shared_ptr<Job> &job) {
  const Generation &generation = job->generation;
  std::vector<std::unique_ptr<Work>> works;
  for (size_t p = 0; p < generation.prompts.size(); ++p) {
    auto work = std::make_unique<Work>();
    work->job = job;
    work->prompt = p;
    work->choices.resize(size_t(generation.choices));
    work->need = plan.need(generation.choices, work->length() + std::max<int64_t>(generation.maxTokens - 1, 0));
    works.push_back(std::move(work));
  }
  std::lock_guard<std::mutex> lock(mutex);
  if (refused)
    return refused;
  bool starts = waiting.empty() && plan.fits(works.front()->need);
  if (!starts && waitingJobs >= options.queue)
    return ApiError{429, std::to_string(waitingJobs) + " requests wait already; try again later", "", "queue_full", 1};
  ++waitingJobs;
  for (std::unique_ptr<Work> &work : works)
    waiting.push_back(std::move(work));
  admit();
  changed.notify_all();
  return std::nullopt;
}

/// Lets in what fits, in order; with the lock.
void Scheduler::admit() {
  while (!waiting.empty() && plan.fits(waiting.front()->need)) {
    std::unique_ptr<Work> work = std::move(waiting.front());
    waiting.pop_front();
    plan.take(work->need);
    waitingJobs -= waiting.empty() || waiting.front()->job != work->job;
    admitted.push_back(std::move(work));
  }
}

void Scheduler::cancelled() {
  std::lock_guard<std::mutex> lock(mutex);
  cancelling = true;
  changed.notify_all();
}

void Scheduler::drain() {
  std::lock_guard<std::mutex> lock(mutex);
  if (!refused)
    refused = shuttingDown();
}

std::optional<ApiError> Scheduler::refusal() const {
  std::lock_guard<std::mutex> lock(mutex);
  return refused;
}

bool Scheduler::idle() const {
  std::lock_guard<std::mutex> lock(mutex);
  return !busy && waiting.empty() && admitted.empty();
}

bool Scheduler::lost() const {
  std::lock_guard<std::mutex> lock(mutex);
  return deviceLost;
}

/// Takes out of the queue what nobody waits for; with the lock.
void Scheduler::dropWaiting() {
  for (size_t i = 0; i < waiting.size(); ++i) {
    bool last = i + 1 == waiting.size() || waiting[i + 1]->job != waiting[i]->job;
    if (waiting[i]->job->cancelled())
      waitingJobs -= last;
  }
  waiting.erase(std::remove_if(waiting.begin(), waiting.end(), [](const auto &work) { return work->job->cancelled(); }),
                waiting.end());
}

/// Gives back what a work holds.
void Scheduler::end(Work &work) {
  worker.release(work);
  std::lock_guard<std::mutex> lock(mutex);
  plan.giveBack(work.need);
  admit();
}

/// Takes out what is complete, failed or not wanted any more.
void Scheduler::sweep() {
  for (std::unique_ptr<Work> &work : running) {
    if (!work->done() && !work->job->cancelled() && !work->job->error())
      continue;
    end(*work);
    work.reset();
  }
  running.erase(std::remove(running.begin(), running.end(), nullptr), running.end());
}

void Scheduler::loop() {
  while (true) {
    std::vector<std::unique_ptr<Work>> fresh;
    int64_t free = 0;
    Job::Clock::time_point begun;
    {
      std::unique_lock<std::mutex> lock(mutex);
      busy = !running.empty();
      changed.wait(lock, [&] { return stopping || cancelling || !admitted.empty() || !running.empty(); });
      if (stopping)
        break;
      if (cancelling) {
        dropWaiting();
        admit();
      }
      cancelling = false;
      begun = Job::Clock::now();
      fresh.swap(admitted);
      busy = true;
      free = plan.bytesLimit() - plan.taken().bytes;
    }
    prefixes.shrink(free); // What was let in goes before what is kept.
    for (std::unique_ptr<Work> &work : fresh) {
      running.push_back(std::move(work));
      Work &added = *running.back();
      if (added.job->cancelled() || added.job->error())
        continue;
      if (Status status = worker.begin(added); !status)
        failed(added, status.error());
    }
    sweep();
    if (!running.empty()) {
      try {
        step();
      } catch (const std::bad_alloc &) { // What each of them has got is not known any more.
        for (std::unique_ptr<Work> &work : running)
          work->job->fail({503, "the server has no memory left", "", "out_of_memory", 1});
      }
      sweep();
    }
    metrics.addBusy(std::chrono::duration<double>(Job::Clock::now() - begun).count());
    if (model.engine.loss())
      return lose(*model.engine.loss());
    publish(running.empty());
  }
  failAll({503, "the server has ended", "", "shutting_down", 0});
}

/// Ends all that runs and waits, and takes no more.
void Scheduler::failAll(const ApiError &error) {
  for (std::unique_ptr<Work> &work : running)
    worker.release(*work);
  std::lock_guard<std::mutex> lock(mutex);
  refused = error;
  for (const std::unique_ptr<Work> &work : running)
    work->job->fail(error);
  for (const std::unique_ptr<Work> &work : admitted)
    work->job->fail(error);
  for (const std::unique_ptr<Work> &work : waiting)
    work->job->fail(error);
  running.clear();
  admitted.clear();
  waiting.clear();
  waitingJobs = 0;
  busy = false;
}

/// The device has failed: nothing can be computed until the program is started anew.
void Scheduler::lose(const io::Error &error) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    deviceLost = true;
  }
  failAll({503, error.message, "", "device_failed", 1});
  if (onLoss)
    onLoss(error);
}

/// A work cannot go on. Where that is because the device has failed, `lose` tells everybody.
void Scheduler::failed(const Work &work, const io::Error &error) {
  if (!model.engine.loss())
    work.job->fail({500, error.message, "", "", 0});
}

/// What the next step is made of: a token of every sequence that is being continued, and what else was chosen for it;
/// of prompts what the budget leaves, the oldest first; guesses in what is left then.
std::vector<StepPart> Scheduler::partsOfStep() {
  std::vector<StepPart> parts;
  int64_t room = options.stepTokens;
  for (std::unique_ptr<Work> &work : running)
    for (size_t c = 0; !work->begins() && c < work->choices.size(); ++c)
      if (!work->choices[c].ended) {
        parts.push_back(worker.choicePart(*work, c));
        --room;
      }
  for (StepPart &part : parts)
    room -= worker.addChosen(part, room);
  const size_t continued = parts.size();
  for (std::unique_ptr<Work> &work : running) {
    if (!work->begins() || (parts.size() > continued && room <= 0))
      continue;
    parts.push_back(worker.promptPart(*work, room));
    room -= parts.back().count;
  }
  addGuesses(parts, room);
  return parts;
}

/// Adds guesses where there is memory for a copy of the sequence that nobody was promised and no beginning of a prompt
/// holds.
void Scheduler::addGuesses(std::vector<StepPart> &parts, int64_t room) {
  int64_t bytes = -prefixes.held().bytes;
  {
    std::lock_guard<std::mutex> lock(mutex);
    bytes += plan.bytesLimit() - plan.taken().bytes;
  }
  const int64_t copy = plan.needOfFork().bytes;
  for (StepPart &part : parts) {
    if (part.prompt || room <= 0 || bytes < copy)
      return;
    if (int64_t added = worker.addGuesses(part, room)) {
      room -= added;
      bytes -= copy;
    }
  }
}

void Scheduler::step() {
  std::vector<StepPart> parts = partsOfStep();
  std::vector<chimera_step_item> items;
  int64_t tokens = 0;
  bool routes = false;
  for (const StepPart &part : parts) {
    items.push_back(worker.item(part));
    tokens += part.count;
    routes |= part.work->wantsRouting();
  }
  auto begin = Job::Clock::now();
  if (Status status = model.engine.step(items, logits, routes ? &routing : nullptr); !status)
    return recover(status.error(), parts);
  metrics.addStep(std::chrono::duration<double>(Job::Clock::now() - begin).count(), tokens);
  const uint8_t *row = logits.data();
  size_t tokensBefore = 0;
  // Those of prompts come last, and may keep copies: by then the copies for guesses are gone.
  for (const StepPart &part : parts) {
    int64_t count = Worker::rows(part);
    const int8_t *modes = nullptr;
    if (part.work->wantsRouting())
      modes = routing.data() + tokensBefore * size_t(model.engine.info().layers);
    if (Status status = worker.take(part, {row, modes}); !status)
      failed(*part.work, status.error());
    row += count * model.engine.logitsRowBytes();
    tokensBefore += size_t(part.count);
  }
}

/// A step that fails has changed nothing. The plan rules out that memory runs out, but the system may refuse what it
/// promised: the work of the step's last part gives way, and the others go on.
void Scheduler::recover(const io::Error &error, const std::vector<StepPart> &parts) {
  if (model.engine.loss())
    return;
  for (const StepPart &part : parts)
    worker.forgetGuesses(part);
  parts.back().work->job->fail({503, error.message, "", "out_of_memory", 1});
}

/// Tells the metrics what is so now; asking the session costs time, so not after every step.
void Scheduler::publish(bool force) {
  constexpr auto interval = std::chrono::milliseconds(250);
  auto now = Job::Clock::now();
  if (!force && now - published < interval)
    return;
  published = now;
  Gauges gauges;
  if (io::Result<chimera_memory> memory = model.engine.memory())
    gauges.memory = *memory;
  gauges.prefixes = prefixes.counts();
  gauges.kept = prefixes.held();
  {
    std::lock_guard<std::mutex> lock(mutex);
    gauges.queued = waitingJobs;
    gauges.running = plan.taken().sequences;
    gauges.planned = plan.taken();
    gauges.plannedLimit = plan.bytesLimit();
  }
  metrics.setGauges(gauges);
}

} // namespace chimera::serve
