// The least time in which the job can be done on libllama: what the bench compares the engine with.
//
//   bound <backend folder> <model> <threads> <flash attention 0|1> <sequences> <longest completion>
//
// Loads the model, prints "ready", then reads jobs from standard input, all numbers in decimal:
//   <shared> <samples> <generate> <prompts>  and for each prompt  <length> <token> ...
// All prompts of a job begin with the same <shared> tokens. Each prompt is completed greedily <samples> times by
// <generate> tokens. After each job it prints "<seconds> <prompt tokens evaluated> <tokens generated>".
//
// The shared tokens are evaluated once, each prompt's rest once for all its samples, and all running completions
// take part in every decode. Nothing is kept from one job to the next.
#include "ggml-backend.h"
#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

static const int BATCH = 512;

struct Job {
    size_t shared, samples, generate;
    std::vector<std::vector<llama_token>> prompts;
};

static bool read_job(Job & job) {
    size_t prompts;
    if (!(std::cin >> job.shared >> job.samples >> job.generate >> prompts)) return false;
    job.prompts.resize(prompts);
    for (auto & prompt : job.prompts) {
        size_t length;
        std::cin >> length;
        prompt.resize(length);
        for (auto & token : prompt) std::cin >> token;
    }
    return bool(std::cin);
}

struct Completion {
    llama_seq_id sequence;
    llama_token next;
    llama_pos position;
};

class Runner {
  public:
    Runner(llama_context * context, const llama_vocab * vocab, size_t sequences)
        : context(context), memory(llama_get_memory(context)), vocabulary(llama_vocab_n_tokens(vocab)),
          sequences(sequences), batch(llama_batch_init(BATCH, 0, 1)) {}

    ~Runner() { llama_batch_free(batch); }

    void run(const Job & job) {
        prompt_tokens = generated = 0;
        llama_memory_clear(memory, false);
        for (size_t i = 0; i < job.shared; i++) add(job.prompts[0][i], i, 0, nullptr);
        prompt_tokens += job.shared;
        flush();
        const size_t total = job.prompts.size() * job.samples;
        // Whole prompts in each group, so that none is evaluated twice.
        const size_t group = std::max(job.samples, sequences / job.samples * job.samples);
        for (size_t start = 0; start < total; start += group) run_group(job, start, std::min(total, start + group));
    }

    size_t prompt_tokens = 0;
    size_t generated = 0;

  private:
    llama_context * context;
    llama_memory_t memory;
    const int vocabulary;
    const size_t sequences;
    llama_batch batch;
    std::vector<Completion *> readers;

    void run_group(const Job & job, size_t start, size_t end) {
        std::vector<Completion> running(end - start);
        for (size_t i = 0; i < running.size(); i += job.samples) {
            const auto & prompt = job.prompts[(start + i) / job.samples];
            Completion & first = running[i];
            first.sequence = i + 1;
            first.position = prompt.size();
            llama_memory_seq_cp(memory, 0, first.sequence, -1, -1);
            for (size_t p = job.shared; p < prompt.size(); p++) {
                add(prompt[p], p, first.sequence, p + 1 == prompt.size() ? &first : nullptr);
            }
            prompt_tokens += prompt.size() - job.shared;
        }
        flush();
        for (size_t i = 0; i < running.size(); i++) {
            const Completion & first = running[i - i % job.samples];
            if (&running[i] == &first) continue;
            running[i] = first;
            running[i].sequence = i + 1;
            llama_memory_seq_cp(memory, first.sequence, running[i].sequence, -1, -1);
        }
        for (size_t step = 1; step < job.generate; step++) {
            for (auto & completion : running) {
                add(completion.next, completion.position++, completion.sequence, &completion);
            }
            flush();
        }
        generated += running.size() * job.generate;
        for (const auto & completion : running) llama_memory_seq_rm(memory, completion.sequence, -1, -1);
    }

    void add(llama_token token, llama_pos position, llama_seq_id sequence, Completion * reader) {
        if (batch.n_tokens == BATCH) flush();
        const int i = batch.n_tokens++;
        batch.token[i] = token;
        batch.pos[i] = position;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = sequence;
        batch.logits[i] = reader != nullptr;
        if (reader != nullptr) readers.push_back(reader);
    }

    // Evaluates the batch and gives each completion that asked its most likely next token.
    void flush() {
        if (batch.n_tokens == 0) return;
        if (llama_decode(context, batch) != 0) {
            fprintf(stderr, "llama_decode failed\n");
            exit(1);
        }
        llama_synchronize(context);
        const float * row = readers.empty() ? nullptr : llama_get_logits(context);
        for (Completion * reader : readers) {
            reader->next = std::max_element(row, row + vocabulary) - row;
            row += vocabulary;
        }
        readers.clear();
        batch.n_tokens = 0;
    }
};

int main(int argc, char ** argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: bound <backends> <model> <threads> <flash attention> <sequences> <longest>\n");
        return 2;
    }
    const int threads = atoi(argv[3]), sequences = atoi(argv[5]), longest = atoi(argv[6]);
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
    }, nullptr);
    ggml_backend_load_all_from_path(argv[1]);
    llama_backend_init();

    llama_model_params model_params = llama_model_default_params();
    model_params.n_gpu_layers = 0;
    llama_model * model = llama_model_load_from_file(argv[2], model_params);
    if (model == nullptr) return 1;

    llama_context_params params = llama_context_default_params();
    params.n_ctx = longest * (sequences + 1);
    params.n_batch = params.n_ubatch = BATCH;
    // A unified cache takes 256 sequences whatever this says; it only sizes the buffer for logits.
    params.n_seq_max = params.n_outputs_max = sequences;
    params.n_threads = params.n_threads_batch = threads;
    params.flash_attn_type = atoi(argv[4]) ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.kv_unified = true;
    llama_context * context = llama_init_from_model(model, params);
    if (context == nullptr) return 1;

    std::cout << "ready" << std::endl;
    {
        Runner runner(context, llama_model_get_vocab(model), sequences);
        for (Job job; read_job(job);) {
            const auto started = std::chrono::steady_clock::now();
            runner.run(job);
            const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
            std::cout << seconds.count() << ' ' << runner.prompt_tokens << ' ' << runner.generated << std::endl;
        }
    }
    llama_free(context);
    llama_model_free(model);
}
